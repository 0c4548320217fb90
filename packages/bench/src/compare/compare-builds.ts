import { OptionError } from '../errors.ts';
import { authorise, compileFlows } from '../load/compile-flows.ts';
import { type BenchmarkEnvironment, type Doubt, describeEnvironment } from '../result/result.ts';
import { changeScenario, parseScenario, type ResolvedScenario, type Scenario } from '../scenario/scenario.ts';
import { readTrust, type TlsTrust } from '../scenario/target.ts';
import {
  type JudgeOptions,
  look,
  type MetricVerdict,
  type PairedMetric,
  type SequentialPlan,
  slicesPlan,
  type Verdict,
} from '../stats/verdict.ts';
import { type DoubtLimits, doubtComparison } from './doubts.ts';
import {
  type ArmSample,
  type CompareDesign,
  type CpuPinning,
  chooseDesign,
  type PairSample,
  planPinning,
} from './duet-plan.ts';
import { type Arm, measurePair } from './measure-pair.ts';

/** Options of {@link compareBuilds}. */
export interface CompareOptions {
  readonly base: Arm;
  readonly head: Arm;
  readonly scenario: Scenario;
  /** Replaces the scenario's connections and times, which are meant for a single run. */
  readonly load?: DuetLoad;
  /** @defaultValue `duet` with two processors or more, else `slices` */
  readonly design?: CompareDesign;
  /** @defaultValue looks at 10, 13 and 16 pairs; for `slices`, whose spread is wider, at 15, 18 and 21 */
  readonly plan?: SequentialPlan;
  readonly judge?: JudgeOptions;
  readonly limits?: DoubtLimits;
  /** After an abort the promise resolves with the pairs so far and `partial: true`. */
  readonly signal?: AbortSignal;
  /** After each pair. */
  readonly onPair?: (progress: CompareProgress) => void;
  /** In [0, 1). @defaultValue `Math.random` */
  readonly random?: () => number;
}

/** Reported after each pair. */
export interface CompareProgress {
  readonly pairs: number;
  /** Number of pairs at the next look. */
  readonly nextLook: number;
  readonly metrics: readonly MetricVerdict[];
}

/** The outcome of a comparison. */
export interface CompareResult {
  readonly schemaVersion: 1;
  readonly name: string;
  readonly base: string;
  readonly head: string;
  readonly startedAt: string;
  readonly durationMs: number;
  /** `invalid`: the measurements are not reliable, or a build crashed or failed; `doubts` has the reasons. */
  readonly verdict: Verdict | 'invalid';
  readonly metrics: readonly MetricVerdict[];
  readonly doubts: readonly Doubt[];
  readonly partial: boolean;
  readonly design: CompareDesign;
  /** Pinned processors, or null when the kernel placed the processes. */
  readonly pinning: CpuPinning | null;
  readonly pairs: readonly PairSample[];
  readonly environment: BenchmarkEnvironment;
}

/** How hard and how long each pair is loaded. */
export interface DuetLoad {
  /** To each build. @defaultValue 8 */
  readonly connections?: number;
  /** @defaultValue 4_000 */
  readonly warmupMs?: number;
  /** @defaultValue 2_000 */
  readonly durationMs?: number;
}

/** Default load of a pair. */
export const duetDefaults: Readonly<Required<DuetLoad>> = Object.freeze({
  connections: 8,
  warmupMs: 4_000,
  durationMs: 2_000,
});

/**
 * Compares two builds in pairs of fresh processes, until every gated metric (answers per second, median latency, processor time per request)
 * is decided or the last look is reached. `duet` needs two CPUs, `slices` one; the default is chosen by CPU count. p99 is not gated,
 * since it differs by 7 to 12 % between two runs of one build.
 */
export async function compareBuilds(options: CompareOptions): Promise<CompareResult> {
  const { base, head, signal, design = chooseDesign(), random = Math.random } = options;
  const plan = { ...(design === 'slices' ? slicesPlan : {}), ...options.plan };
  const { scenario, trust } = await prepareDuet(options.scenario, design, options.load);
  const pinning = planPinning(design);
  const startedAt = new Date();
  const pairs: PairSample[] = [];
  let step = look(gatedMetrics(pairs), plan, options.judge);
  try {
    while (!step.done && !hasEnded(pairs.at(-1))) {
      pairs.push(await measurePair({ base, head, scenario, trust, design, pinning, random, signal }));
      step = look(gatedMetrics(pairs), plan, options.judge);
      const nextLook = step.done ? pairs.length : step.pairs;
      options.onPair?.({ pairs: pairs.length, nextLook, metrics: step.metrics });
    }
  } catch (error) {
    if (signal?.aborted !== true) throw error;
  }
  const doubts = doubtComparison(pairs, options.limits);
  return {
    schemaVersion: 1,
    name: scenario.name,
    base: base.label,
    head: head.label,
    startedAt: startedAt.toISOString(),
    durationMs: Date.now() - startedAt.getTime(),
    verdict: doubts.length > 0 ? 'invalid' : step.done ? step.verdict : 'inconclusive',
    metrics: step.metrics,
    doubts,
    partial: !step.done,
    design,
    pinning: pinning ?? null,
    pairs,
    environment: await describeEnvironment(),
  };
}

/** One crash makes the comparison invalid, so the comparison stops. */
function hasEnded(pair: PairSample | undefined): boolean {
  return pair?.base.ended !== undefined || pair?.head.ended !== undefined;
}

/** The metrics that decide the verdict. Processor time is one of them only when every pair has it. */
export function gatedMetrics(pairs: readonly PairSample[]): PairedMetric[] {
  const metric = (
    name: string,
    better: 'higher' | 'lower',
    read: (arm: ArmSample) => number,
  ): PairedMetric => ({
    name,
    better,
    pairs: pairs.map(({ base, head }) => ({ base: read(base), head: read(head) })),
  });
  const metrics = [
    metric('perSecond', 'higher', (arm) => arm.perSecond),
    metric('p50Ms', 'lower', (arm) => arm.p50Ms),
  ];
  const complete = pairs.every(({ base, head }) => base.cpuUs !== undefined && head.cpuUs !== undefined);
  if (complete) metrics.push(metric('cpuUs', 'lower', (arm) => arm.cpuUs ?? 0));
  return metrics;
}

/**
 * A scenario with the load of a pair and its credentials. Its feeds are read here, so that a mistake in them is reported before
 * any server is started.
 *
 * @throws {@link OptionError} for what cannot be compared
 */
export async function prepareDuet(
  scenario: Scenario,
  design: CompareDesign,
  load: DuetLoad = {},
): Promise<{ readonly scenario: ResolvedScenario; readonly trust: TlsTrust | undefined }> {
  const parsed = parseScenario(scenario);
  if (parsed.rate !== undefined || parsed.stages !== undefined) {
    throw new OptionError(
      'A comparison loads both builds in a closed loop. Remove `rate` and `stages` from the scenario.',
    );
  }
  if (parsed.flows !== undefined && design === 'slices') {
    throw new OptionError(
      'Flows cannot take turns on one processor. Compare `requests`, or use two processors and the design `duet`.',
    );
  }
  const authorised = authorise(changeScenario(parsed, { ...duetDefaults, ...load }));
  if (authorised.flows !== undefined) compileFlows(authorised);
  return { scenario: authorised, trust: await readTrust(authorised.tls?.ca) };
}
