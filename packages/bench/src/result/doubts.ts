import type { Doubt } from '../compare/doubts.ts';
import { readCpuTime, readSteal } from '../process/cpu.ts';

/** What surrounded the measured time, as shares of it from 0 to 1. Absent where the kernel does not tell. */
export interface RunConditions {
  /** Processor time of this process; above 1 with several threads. */
  readonly generatorBusy: number;
  /** Time in which threads of this process were runnable, but others had their processor; the target is none of them. */
  readonly generatorWaited?: number;
  readonly steal?: number;
}

/** Watches this process, from its making or the latest `begin` to `end`. */
export interface ConditionWatch {
  begin(): void;
  end(): RunConditions;
}

/** @param now monotonic milliseconds */
export function watchConditions(now: () => number): ConditionWatch {
  let before = sample(now);
  return {
    begin() {
      before = sample(now);
    },
    end() {
      const after = sample(now);
      const spanMs = Math.max(after.atMs - before.atMs, 1);
      const ticks = (after.steal?.totalTicks ?? 0) - (before.steal?.totalTicks ?? 0);
      return {
        generatorBusy: (after.cpuUs - before.cpuUs) / 1_000 / spanMs,
        ...(after.waitNs === undefined || before.waitNs === undefined
          ? {}
          : // A worker thread that has ended took its share of the sum along.
            { generatorWaited: Math.max(after.waitNs - before.waitNs, 0) / 1e6 / spanMs }),
        ...(ticks > 0
          ? { steal: ((after.steal?.stealTicks ?? 0) - (before.steal?.stealTicks ?? 0)) / ticks }
          : {}),
      };
    },
  };
}

function sample(now: () => number) {
  const { user, system } = process.cpuUsage();
  return {
    atMs: now(),
    cpuUs: user + system,
    waitNs: readCpuTime(process.pid)?.waitNs,
    steal: readSteal(),
  };
}

const demandLimit = 0.95;
const starvedAbove = 0.2;
const lateLimit = 0.01;
/** So few say nothing: of 90 requests one alone would be over the limit. */
const lateAlways = 5;
const stealLimit = 0.1;

/**
 * Reasons not to believe a run. A closed loop whose generator always had work measured the generator. An open loop polls, so it always
 * has work; there the share of late requests tells.
 */
export function doubtRun(
  conditions: RunConditions,
  open: { late: number; intended: number } | undefined,
): Doubt[] {
  const doubts: Doubt[] = [];
  const { generatorBusy, generatorWaited = 0, steal = 0 } = conditions;
  const percent = (value: number): string => `${(value * 100).toFixed(0)} %`;
  const starved = {
    code: 'generator-starved',
    message: `other processes kept the generator waiting ${percent(generatorWaited)} of the time; stop what else runs on this machine`,
  } as const;
  if (open === undefined && generatorBusy + generatorWaited > demandLimit) {
    doubts.push(
      generatorWaited > starvedAbove
        ? starved
        : {
            code: 'generator-saturated',
            message: `the generator was busy ${percent(generatorBusy)} of the time, so it was the limit and not the target; set a rate, or use fewer connections`,
          },
    );
  }
  if (open !== undefined && open.late > Math.max(open.intended * lateLimit, lateAlways)) {
    const message = `the generator began ${percent(open.late / open.intended)} of the requests late; use a lower rate, more workers or a quieter machine`;
    doubts.push({ code: generatorWaited > starvedAbove ? 'generator-starved' : 'generator-late', message });
  }
  if (steal > stealLimit) {
    doubts.push({
      code: 'cpu-steal',
      message: `the hypervisor took ${percent(steal)} of the processor time; use another machine or another hour`,
    });
  }
  return doubts;
}
