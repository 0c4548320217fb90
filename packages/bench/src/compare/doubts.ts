import { doubtSteal, percent } from '../result/doubts.ts';
import type { Doubt } from '../result/result.ts';
import type { ArmName, ArmSample, PairConditions, PairSample } from './duet-plan.ts';

/** Limits above which a pair is doubted. Each is a share. */
export interface DoubtLimits {
  /**
   * Time in which the generator ran or waited for its processor. Above the limit the generator, not the server, limits the
   * rate, and a change of the server would not show.
   *
   * @defaultValue 0.95
   */
  readonly generatorDemand?: number;
  /** Processor time taken by the hypervisor. @defaultValue 0.1 */
  readonly steal?: number;
  /** Requests without an answer or with a status other than 2xx (of flows: with a failed check), in either arm. @defaultValue 0.01 */
  readonly errors?: number;
}

/** Default limits. */
const doubtDefaults: Readonly<Required<DoubtLimits>> = Object.freeze({
  generatorDemand: 0.95,
  steal: 0.1,
  errors: 0.01,
});

const starvedAbove = 0.2;

/** Share of the processor when it is shared with the servers. Above it a change of the server would hardly show. */
const oneCoreBusyAbove = 0.75;

/**
 * Doubts about a comparison. A doubt about the machine counts when at least half of the pairs have it; its message is that of the first such
 * pair. A doubt about a build counts in any pair, since a build that crashes in one of ten pairs is not equal to one that does not.
 */
export function doubtComparison(pairs: readonly PairSample[], limits: DoubtLimits = {}): Doubt[] {
  const bounds = { ...doubtDefaults, ...limits };
  const byCode = new Map<string, { doubt: Doubt; count: number }>();
  for (const doubt of pairs.flatMap((pair) => doubtMachine(pair, bounds))) {
    const seen = byCode.get(doubt.code);
    byCode.set(doubt.code, { doubt: seen?.doubt ?? doubt, count: (seen?.count ?? 0) + 1 });
  }
  const shared = [...byCode.values()].filter(({ count }) => count * 2 >= pairs.length);
  return [
    ...shared.map(({ doubt }) => doubt),
    ...doubtBuild('base', pairs, bounds),
    ...doubtBuild('head', pairs, bounds),
  ];
}

/** One doubt for all pairs in which a build failed. Its message is that of the last one, in which the build may have ended. */
function doubtBuild(name: ArmName, pairs: readonly PairSample[], bounds: Required<DoubtLimits>): Doubt[] {
  const failed = pairs.filter((pair) => doubtArm(name, pair[name], bounds) !== undefined);
  const last = failed.at(-1);
  const doubt = last && doubtArm(name, last[name], bounds, ` in ${failed.length} of ${pairs.length} pairs`);
  return doubt === undefined ? [] : [doubt];
}

/** Every reason to doubt this pair; empty for a reliable one. */
export function doubtPair(pair: PairSample, limits: DoubtLimits = {}): Doubt[] {
  const bounds = { ...doubtDefaults, ...limits };
  const arms = (['base', 'head'] as const).flatMap((name) => doubtArm(name, pair[name], bounds) ?? []);
  return [...doubtMachine(pair, bounds), ...arms];
}

function doubtMachine(pair: PairSample, bounds: Required<DoubtLimits>): Doubt[] {
  const { conditions } = pair;
  return [...doubtGenerator(conditions, bounds.generatorDemand), ...doubtSteal(conditions, bounds.steal)];
}

function doubtGenerator(conditions: PairConditions, demandLimit: number): Doubt[] {
  const { generatorBusy, generatorWaited = 0, targetsRan = 0, oneCore = false } = conditions;
  // On one processor the generator waits while a server runs, and the processor is always busy.
  const waited = oneCore ? Math.max(0, generatorWaited - targetsRan) : generatorWaited;
  const isLimit = oneCore
    ? generatorBusy > oneCoreBusyAbove || waited > starvedAbove
    : generatorBusy + waited > demandLimit;
  if (!isLimit) return [];
  if (waited > starvedAbove)
    return [
      {
        code: 'generator-starved',
        message: `other processes kept the generator waiting ${percent(waited)} of the time, so it was the limit and not the server; stop what else runs on this machine`,
      },
    ];
  return [
    {
      code: 'generator-saturated',
      message: `the generator was busy ${percent(generatorBusy)} of the time, so it was the limit and not the server; use requests that take longer, or fewer connections`,
    },
  ];
}

/** Failures of the build itself. @param where is appended to the failure, such as ` in 1 of 10 pairs` */
function doubtArm(
  name: ArmName,
  arm: ArmSample,
  bounds: Required<DoubtLimits>,
  where = '',
): Doubt | undefined {
  const { answered, errors, non2xx, failedChecks = non2xx + errors, ended } = arm;
  if (ended !== undefined) {
    const message = `${name} ended under load${where}: it ${ended}; repair it, and compare again`;
    return { code: 'target-ended', message };
  }
  const share = answered + errors === 0 ? 1 : failedChecks / (answered + errors);
  if (share <= bounds.errors) return undefined;
  const message = `${name} failed ${percent(share)} of its requests${where}; a failure costs less than an answer, so the speeds cannot be compared`;
  return { code: 'errors', message };
}
