import { fork } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GeneratorError, OptionError, ScenarioFileError } from '../errors.ts';
import {
  type JudgeOptions,
  look,
  type MetricVerdict,
  type PairedMetric,
  type SequentialPlan,
  type Verdict,
} from '../stats/verdict.ts';

/** Two implementations of the same function. */
export interface Micro {
  readonly name: string;
  readonly base: () => unknown;
  readonly head: () => unknown;
}

/**
 * Types and checks a micro-benchmark, which a file exports by default. Return the computed value, so that V8 cannot remove the computation.
 *
 * @throws {@link OptionError}
 */
export function defineMicro(micro: Micro): Micro {
  const { name, base, head, ...rest } = micro as Micro & Record<string, unknown>;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined)
    throw new OptionError(`Expected \`name\`, \`base\` and \`head\`, got also \`${unknown}\`. Remove it.`);
  if (typeof name !== 'string' || name === '')
    throw new OptionError('Expected `name` to be a non-empty string.');
  for (const [key, value] of Object.entries({ base, head })) {
    if (typeof value !== 'function')
      throw new OptionError(`Expected \`${key}\` to be a function, got \`${typeof value}\`.`);
  }
  return Object.freeze({ name, base, head });
}

/** Options of {@link compareMicro}. */
export interface CompareMicroOptions {
  /** Its default export is the value of `defineMicro`. */
  readonly file: string;
  /** Measured time of each turn. @defaultValue 50 */
  readonly roundMs?: number;
  /** Turns of each implementation in a pair. @defaultValue 5 */
  readonly rounds?: number;
  readonly plan?: SequentialPlan;
  readonly judge?: JudgeOptions;
  readonly signal?: AbortSignal;
  readonly random?: () => number;
  readonly onPair?: (pairs: number) => void;
}

/** The outcome of a micro-benchmark. */
export interface MicroResult {
  readonly name: string;
  readonly verdict: Verdict;
  readonly metric: MetricVerdict | undefined;
  /** Nanoseconds per call, one entry for each fresh process. */
  readonly pairs: readonly { readonly base: number; readonly head: number }[];
  readonly partial: boolean;
}

/**
 * Compares the two implementations of a micro-benchmark. Each pair runs in a fresh process, since V8 optimises a function differently from
 * process to process, so rounds in one process tell little about the next process.
 *
 * @throws {@link ScenarioFileError} when the file does not export a micro-benchmark, or an implementation throws
 */
export async function compareMicro(options: CompareMicroOptions): Promise<MicroResult> {
  const { file, plan, signal, random = Math.random, roundMs = 50, rounds = 5 } = options;
  const pairs: { base: number; head: number }[] = [];
  let name = file;
  const metrics = (): PairedMetric[] => [{ name: 'nsPerCall', better: 'lower', pairs }];
  let step = look(metrics(), plan, options.judge);
  while (!step.done && signal?.aborted !== true) {
    const answer = await measurePair({ file, roundMs, rounds, headFirst: random() < 0.5 }, signal);
    if (answer === undefined) break;
    if ('error' in answer) throw new ScenarioFileError(answer.error);
    name = answer.name;
    pairs.push({ base: answer.base, head: answer.head });
    step = look(metrics(), plan, options.judge);
    options.onPair?.(pairs.length);
  }
  return {
    name,
    verdict: step.done ? step.verdict : 'inconclusive',
    metric: step.metrics[0],
    pairs,
    partial: !step.done,
  };
}

/** The message of the parent. */
export interface MicroPlan {
  readonly file: string;
  readonly roundMs: number;
  readonly rounds: number;
  readonly headFirst: boolean;
}

/** The answer: nanoseconds per call, or why there are none. */
export type MicroAnswer =
  | { readonly name: string; readonly base: number; readonly head: number }
  | { readonly error: string };

/** `undefined` after an abort. */
function measurePair(plan: MicroPlan, signal: AbortSignal | undefined): Promise<MicroAnswer | undefined> {
  const script = fileURLToPath(new URL(`./micro-pair${extname(import.meta.url)}`, import.meta.url));
  return new Promise((resolve, reject) => {
    const child = fork(script, [], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      execArgv: process.execArgv,
    });
    const stop = (): void => void child.kill('SIGKILL');
    signal?.addEventListener('abort', stop, { once: true });
    let answer: MicroAnswer | undefined;
    child.once('message', (message: MicroAnswer) => {
      answer = message;
    });
    child.once('error', reject);
    child.once('exit', (code, by) => {
      signal?.removeEventListener('abort', stop);
      if (answer !== undefined || signal?.aborted === true) resolve(answer);
      else reject(new GeneratorError(`ended with ${by ?? `code ${code}`}`));
    });
    child.send(plan);
  });
}
