import { fork } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GeneratorError } from '../errors.ts';
import { type CpuPinning, pinned } from '../process/cpu-pinning.ts';
import { reservePort, type StartedTarget, startTarget, steadyHook } from '../process/start-target.ts';
import type { ResolvedScenario, StartSpec } from '../scenario.ts';
import type { ArmName, CompareDesign, DuetPlan, PairSample } from './duet-plan.ts';

/** A build that can be started. */
export interface Arm {
  readonly directory: string;
  readonly start: StartSpec;
  /** For reports: the commit, directory or command. */
  readonly label: string;
}

/** Options of {@link measurePair}. */
export interface MeasurePairOptions {
  readonly base: Arm;
  readonly head: Arm;
  readonly scenario: ResolvedScenario;
  readonly design: CompareDesign;
  readonly pinning: CpuPinning | undefined;
  /** In [0, 1); decides which arm starts first. */
  readonly random: () => number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Measures one pair: both builds in fresh processes on one processor, loaded by one generator. Whichever starts first, no load
 * begins before both are ready, so both get the same traffic from their birth.
 */
export async function measurePair(options: MeasurePairOptions): Promise<PairSample> {
  const { design, pinning, random, scenario, signal } = options;
  const order: readonly ArmName[] = random() < 0.5 ? ['base', 'head'] : ['head', 'base'];
  const started: { readonly name: ArmName; readonly target: StartedTarget }[] = [];
  try {
    for (const name of order) {
      const { directory, start } = options[name];
      const port = await reservePort();
      const target = await startTarget({
        start,
        directory,
        port,
        cpu: pinning?.targets,
        hooks: [steadyHook],
        signal,
      });
      started.push({ name, target });
    }
    const plan: DuetPlan = {
      design,
      arms: started.map(({ name, target }) => ({
        name,
        pid: target.pid,
        scenario: { ...scenario, target: target.origin },
      })),
    };
    return await generate(plan, pinning?.generator, signal);
  } finally {
    await Promise.all(started.map(({ target }) => target.stop()));
  }
}

/** Runs the generator of one pair in a process of its own. */
export function generate(
  plan: DuetPlan,
  cpu: number | undefined,
  signal: AbortSignal | undefined,
): Promise<PairSample> {
  const script = fileURLToPath(new URL(`./duet-generator${extname(import.meta.url)}`, import.meta.url));
  const [execPath, ...execArgv] = pinned([process.execPath], cpu);
  return new Promise((resolve, reject) => {
    const child = fork(script, [], { execPath, execArgv, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    const stop = (): void => void child.kill('SIGKILL');
    signal?.addEventListener('abort', stop, { once: true });
    let answer: { sample: PairSample } | { error: string } | undefined;
    child.once('message', (message: { sample: PairSample } | { error: string }) => {
      answer = message;
    });
    child.once('error', reject);
    child.once('exit', (code, by) => {
      signal?.removeEventListener('abort', stop);
      if (signal?.aborted === true) reject(signal.reason);
      else if (answer === undefined) reject(new GeneratorError(`ended with ${by ?? `code ${code}`}`));
      else if ('error' in answer) reject(new GeneratorError(answer.error));
      else resolve(answer.sample);
    });
    child.send(plan);
  });
}
