import { fork } from 'node:child_process';
import { extname } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { GeneratorError } from '../errors.ts';
import { pinned } from '../process/cpu.ts';
import {
  reservePort,
  type StartedTarget,
  type StartTargetOptions,
  startTarget,
  steadyHook,
} from '../process/start-target.ts';
import type { ResolvedScenario, StartSpec } from '../scenario/scenario.ts';
import type { TlsTrust } from '../scenario/target.ts';
import type { ArmName, CompareDesign, CpuPinning, DuetPlan, PairSample } from './duet-plan.ts';

/** A build that can be started. */
export interface Arm {
  readonly directory: string;
  readonly start: StartSpec;
  /** For reports: the commit, directory or command. */
  readonly label: string;
}

/** Options of {@link measurePair}. */
interface MeasurePairOptions {
  readonly base: Arm;
  readonly head: Arm;
  readonly scenario: ResolvedScenario;
  /** For a scenario whose target is `https:`. */
  readonly trust?: TlsTrust | undefined;
  readonly design: CompareDesign;
  readonly pinning: CpuPinning | undefined;
  /** In [0, 1); decides which arm starts first. */
  readonly random: () => number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Measures one pair: both builds in fresh processes on one processor, loaded by one generator. The load begins when both are ready, so
 * both receive the same traffic from their start.
 */
export async function measurePair(options: MeasurePairOptions): Promise<PairSample> {
  const { design, pinning, random, signal } = options;
  const order: readonly ArmName[] = random() < 0.5 ? ['base', 'head'] : ['head', 'base'];
  const started: StartedArm[] = [];
  try {
    for (const name of order) started.push(await startArm(name, options, { hooks: [steadyHook] }));
    const sample = await generate(planLoad(design, started, options), pinning?.generator, signal);
    return await withEnds(sample, started);
  } finally {
    await Promise.all(started.map(({ target }) => target.stop()));
  }
}

/** A server of a pair. */
export interface StartedArm {
  readonly name: ArmName;
  readonly target: StartedTarget;
}

/** Options of {@link startArm} and {@link planLoad}. */
type PairOptions = Pick<MeasurePairOptions, 'base' | 'head' | 'scenario' | 'trust' | 'pinning' | 'signal'>;

/** Starts one build of a pair on a free port, with the scheme of the scenario's target. */
export async function startArm(
  name: ArmName,
  options: PairOptions,
  given: Pick<StartTargetOptions, 'hooks' | 'env'>,
): Promise<StartedArm> {
  const { scenario, trust, pinning, signal } = options;
  const { directory, start } = options[name];
  const port = await reservePort();
  const origin = originOf(scenario.target, port);
  const cpu = pinning?.targets;
  return {
    name,
    target: await startTarget({ start, directory, port, origin, trust, cpu, ...given, signal }),
  };
}

/** The origin of a server that is started on this machine. The certificate of an https target may be valid for `localhost` only. */
export function originOf(target: string, port: number): string {
  const { protocol, hostname } = new URL(target);
  const host = protocol === 'https:' && hostname === 'localhost' ? 'localhost' : '127.0.0.1';
  return `${protocol}//${host}:${port}`;
}

/** The generator's plan for started servers. */
export function planLoad(
  design: CompareDesign,
  started: readonly StartedArm[],
  { scenario, trust }: PairOptions,
): DuetPlan {
  const arms = started.map(({ name, target }) => ({
    name,
    pid: target.pid,
    scenario: { ...scenario, target: target.origin },
  }));
  return { design, arms, ...(trust === undefined ? {} : { trust }) };
}

/** Adds to the sample how a server ended, for each that did. */
export async function withEnds(sample: PairSample, started: readonly StartedArm[]): Promise<PairSample> {
  // The event of its end may still be queued.
  await setImmediate();
  let told = sample;
  for (const { name, target } of started) {
    if (target.hasEnded()) told = { ...told, [name]: { ...told[name], ended: await target.ended } };
  }
  return told;
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
