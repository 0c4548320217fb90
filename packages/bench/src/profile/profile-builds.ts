import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type DuetLoad, prepareDuet } from '../compare/compare-builds.ts';
import { type ArmName, type CompareDesign, chooseDesign, planPinning } from '../compare/duet-plan.ts';
import {
  type Arm,
  generate,
  planLoad,
  type StartedArm,
  startArm,
  withEnds,
} from '../compare/measure-pair.ts';
import { ProfileError } from '../errors.ts';
import { steadyHook } from '../process/start-target.ts';
import type { ResolvedScenario, Scenario } from '../scenario/scenario.ts';
import type { TlsTrust } from '../scenario/target.ts';
import { findCulprits, type ProfileDifference, type ProfiledPair } from './culprits.ts';
import { readHeapStacks, readStackTimes, type StackTimes } from './stack-times.ts';

/** Options of {@link profileBuilds}. */
export interface ProfileOptions {
  readonly base: Arm;
  readonly head: Arm;
  readonly scenario: Scenario;
  readonly load?: DuetLoad;
  /** `heap` samples allocations that are still held at the end. @defaultValue `'cpu'` */
  readonly kind?: 'cpu' | 'heap';
  /** Duets of fresh processes. A culprit must appear in each. Up to twice as many run until there are enough samples. @defaultValue 3 */
  readonly rounds?: number;
  /** Samples of each build over all rounds, below which a small increase cannot be told from chance. CPU only. @defaultValue 1_500 */
  readonly minSamples?: number;
  readonly signal?: AbortSignal;
  readonly onRound?: (round: number) => void;
}

/** Profiles of both builds with their difference. */
export interface ProfileResult extends ProfileDifference {
  readonly pairs: readonly ProfiledPair[];
  /** Unit of the values: microseconds or bytes per request. */
  readonly unit: 'µs' | 'B';
}

const waitMs = 10_000;

/**
 * Profiles both builds under load at the same time with V8's profiler, and finds the functions and lines that take more time per request in
 * head. Profiling costs 5 to 8 % of processor time, so it shows where time goes and not how fast a build is.
 *
 * @throws {@link ProfileError} when a build is not a Node process, or writes no profile
 */
export async function profileBuilds(options: ProfileOptions): Promise<ProfileResult> {
  const { rounds = 3, minSamples = 1_500, kind = 'cpu', onRound } = options;
  const design = chooseDesign();
  const { scenario, trust } = await prepareDuet(options.scenario, design, options.load);
  const pairs: ProfiledPair[] = [];
  const enough = (): boolean => kind === 'heap' || Math.min(...countSamples(pairs)) >= minSamples;
  for (let round = 0; round < rounds || (round < 2 * rounds && !enough()); round += 1) {
    // The order of the starts alternates.
    const order: readonly ArmName[] = round % 2 === 0 ? ['base', 'head'] : ['head', 'base'];
    pairs.push(await profilePair(options, { scenario, trust, design, order, kind }));
    onRound?.(round + 1);
  }
  return { ...findCulprits(pairs), pairs, unit: kind === 'cpu' ? 'µs' : 'B' };
}

/** Samples of base and of head, over all rounds. */
function countSamples(pairs: readonly ProfiledPair[]): readonly [number, number] {
  const count = (name: ArmName): number => pairs.reduce((sum, pair) => sum + pair[name].times.samples, 0);
  return [count('base'), count('head')];
}

interface PairPlan {
  readonly scenario: ResolvedScenario;
  readonly trust: TlsTrust | undefined;
  readonly design: CompareDesign;
  readonly order: readonly ArmName[];
  readonly kind: 'cpu' | 'heap';
}

async function profilePair(
  options: ProfileOptions,
  { scenario, trust, design, order, kind }: PairPlan,
): Promise<ProfiledPair> {
  const { signal } = options;
  const pinning = planPinning(design);
  const hook = new URL(`./profiler-hook${extname(import.meta.url)}`, import.meta.url);
  const pair = { ...options, scenario, trust, pinning };
  const started: (StartedArm & { readonly directory: string })[] = [];
  const directories: string[] = [];
  try {
    for (const name of order) {
      const profiles = await mkdtemp(join(tmpdir(), 'weir-profile-'));
      directories.push(profiles);
      const env = { WEIR_BENCH_PROFILE: profiles, WEIR_BENCH_PROFILE_KIND: kind };
      const arm = await startArm(name, pair, { env, hooks: [steadyHook, hook] });
      started.push({ ...arm, directory: profiles });
    }
    const pids = await Promise.all(started.map(({ directory }) => hookedPids(directory)));
    const plan = { ...planLoad(design, started, pair), signalPids: pids.flat() };
    const sample = await withEnds(await generate(plan, pinning?.generator, signal), started);
    for (const { name } of started) {
      const { ended } = sample[name];
      if (ended !== undefined) throw new ProfileError(`${name} ended under load: it ${ended}`);
    }
    const arms = new Map<ArmName, StackTimes>();
    for (const [index, { name, directory }] of started.entries()) {
      arms.set(name, await collect(directory, pids[index] ?? [], kind, options[name].directory));
    }
    const arm = (name: ArmName) => {
      const times = arms.get(name);
      if (times === undefined) throw new ProfileError(`${name} wrote no profile`);
      return { times, requests: sample[name].answered };
    };
    return { base: arm('base'), head: arm('head') };
  } finally {
    await Promise.all(started.map(({ target }) => target.stop()));
    await Promise.all(directories.map((directory) => rm(directory, { recursive: true, force: true })));
  }
}

async function hookedPids(directory: string): Promise<number[]> {
  const pids = (await readdir(directory))
    .filter((file) => file.endsWith('.ready'))
    .map((file) => Number.parseInt(file, 10));
  if (pids.length === 0)
    throw new ProfileError(
      'no Node process loaded the profiler; the start command must run Node and keep NODE_OPTIONS',
    );
  return pids;
}

/** The sum of the profiles of all processes of a build. */
async function collect(
  directory: string,
  pids: readonly number[],
  kind: 'cpu' | 'heap',
  root: string,
): Promise<StackTimes> {
  const deadline = Date.now() + waitMs;
  const stacks = new Map<string, number>();
  const lines = new Map<string, number>();
  let totalUs = 0;
  let samples = 0;
  for (const pid of pids) {
    const parsed = await readWhole(join(directory, `${pid}.${kind}profile`), deadline);
    const times = kind === 'cpu' ? readStackTimes(parsed, root) : readHeapStacks(parsed, root);
    for (const [key, us] of times.stacks) stacks.set(key, (stacks.get(key) ?? 0) + us);
    for (const [key, us] of times.lines) lines.set(key, (lines.get(key) ?? 0) + us);
    totalUs += times.totalUs;
    samples += times.samples;
  }
  return { stacks, lines, totalUs, samples };
}

/** Waits until the file exists and is complete. */
async function readWhole(file: string, deadline: number): Promise<never> {
  for (;;) {
    try {
      return JSON.parse(await readFile(file, 'utf8')) as never;
    } catch (cause) {
      if (Date.now() > deadline)
        throw new ProfileError(`a server wrote no profile within ${waitMs} ms`, { cause });
      await delay(50);
    }
  }
}
