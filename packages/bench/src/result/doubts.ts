import type { CpuSnapshot } from '../process/cpu.ts';
import type { Doubt, RunConditions } from './result.ts';

/** What surrounded the load between two snapshots of the generator's process. */
export function conditionsBetween(before: CpuSnapshot, after: CpuSnapshot): RunConditions {
  const spanMs = Math.max(after.atMs - before.atMs, 1);
  const ticks = (after.steal?.totalTicks ?? 0) - (before.steal?.totalTicks ?? 0);
  const stolen = (after.steal?.stealTicks ?? 0) - (before.steal?.stealTicks ?? 0);
  return {
    generatorBusy: (after.cpuUs - before.cpuUs) / 1_000 / spanMs,
    ...(after.waitNs === undefined || before.waitNs === undefined
      ? {}
      : // The sum shrinks when a worker thread ends.
        { generatorWaited: Math.max(after.waitNs - before.waitNs, 0) / 1e6 / spanMs }),
    ...(ticks > 0 ? { steal: stolen / ticks } : {}),
  };
}

const demandLimit = 0.95;
const starvedAbove = 0.2;
/** Share of an open loop's requests that may be late; a few are allowed in a short run, where one alone would exceed the share. */
const lateLimit = 0.01;
const lateAllowed = 5;
const stealLimit = 0.1;

/**
 * Reasons not to believe a run. A closed loop whose generator always had work measured the generator. An open loop polls, so it is always
 * busy; its share of late requests shows whether it kept up.
 *
 * @param open the arrivals of an open loop
 */
export function doubtRun(
  conditions: RunConditions,
  open: { readonly late: number; readonly intended: number } | undefined,
): Doubt[] {
  const { generatorBusy, generatorWaited = 0 } = conditions;
  const isStarved = generatorWaited > starvedAbove;
  const doubts: Doubt[] = [];
  if (open === undefined && generatorBusy + generatorWaited > demandLimit) {
    doubts.push(
      isStarved
        ? {
            code: 'generator-starved',
            message: `other processes kept the generator waiting ${percent(generatorWaited)} of the time; stop what else runs on this machine`,
          }
        : {
            code: 'generator-saturated',
            message: `the generator was busy ${percent(generatorBusy)} of the time, so it was the limit and not the target; set a rate, or use fewer connections`,
          },
    );
  }
  if (open !== undefined && open.late > Math.max(open.intended * lateLimit, lateAllowed)) {
    doubts.push({
      code: isStarved ? 'generator-starved' : 'generator-late',
      message: `the generator began ${percent(open.late / open.intended)} of the requests late; use a lower rate, more workers or a quieter machine`,
    });
  }
  return [...doubts, ...doubtSteal(conditions, stealLimit)];
}

/** @param limit share of the processor time */
export function doubtSteal({ steal = 0 }: RunConditions, limit: number): Doubt[] {
  if (steal <= limit) return [];
  return [
    {
      code: 'cpu-steal',
      message: `the hypervisor took ${percent(steal)} of the processor time; use another machine or another hour`,
    },
  ];
}

/** A share as a message writes it: `7.3 %`, `42 %`. */
export function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
}
