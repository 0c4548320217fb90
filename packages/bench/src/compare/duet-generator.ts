import { runClosedLoop } from '../load/closed-loop.ts';
import { Measurement } from '../load/measurement.ts';
import { prepareFlowLoad } from '../load/run-flows.ts';
import { type CpuSnapshot, readTreeCpuTime, snapshotCpu } from '../process/cpu.ts';
import { conditionsBetween } from '../result/doubts.ts';
import type { ArmSample, DuetPlan, PairSample } from './duet-plan.ts';
import { startTurns, type Turns } from './slice-turns.ts';

const sliceMs = 100;

/*
 * A process of its own. It loads both builds from one event loop, at the same time or in turns, so that every disturbance of the
 * generator affects both builds, and sends its measurements to its parent.
 */

async function run(plan: DuetPlan): Promise<PairSample> {
  const clock = performance;
  const { signal } = new AbortController();
  // Feeds take time to read; the clock starts after it.
  const flowLoads = new Map(
    plan.arms
      .filter(({ scenario }) => scenario.flows !== undefined)
      .map(({ name, scenario }) => [name, prepareFlowLoad(scenario)] as const),
  );
  const beginMs = clock.now();
  const loads = plan.arms.map(({ name, scenario, pid }) => ({
    name,
    scenario,
    pid,
    measurement: new Measurement(beginMs, scenario.warmupMs, scenario.durationMs),
  }));
  const first = loads[0]?.scenario;
  if (first === undefined) throw new Error('A duet needs two arms.');
  const fromMs = beginMs + first.warmupMs;
  const toMs = fromMs + first.durationMs;
  const before = at(fromMs, () => snapshot(plan));
  const after = at(toMs, () => snapshot(plan));
  const turns =
    plan.design === 'slices'
      ? startTurns({ arms: loads.map(({ name }) => name), sliceMs, fromMs, toMs, clock })
      : undefined;
  const failedChecks = new Map<string, number>();
  const common = { trust: plan.trust, clock, signal, redirected: () => {} };
  await Promise.all(
    loads.map(async ({ name, scenario, measurement }) => {
      const flowLoad = flowLoads.get(name);
      if (flowLoad !== undefined) {
        failedChecks.set(name, await flowLoad({ ...common, scenario, measurement }));
        return;
      }
      const gate = turns?.gateOf(name);
      await runClosedLoop({ ...common, scenario, measurement, ...(gate === undefined ? {} : { gate }) });
    }),
  );
  turns?.stop();
  return summarise({ loads, failedChecks, before: await before, after: await after, turns });
}

interface Snapshot extends CpuSnapshot {
  /** Processor time by the process of each server, in nanoseconds. */
  readonly targets: ReadonlyMap<number, number | undefined>;
}

function snapshot(plan: DuetPlan): Snapshot {
  for (const pid of plan.signalPids ?? []) {
    try {
      process.kill(pid, 'SIGUSR2');
    } catch {
      // It has ended; the parent reports that.
    }
  }
  const targets = plan.arms.map(({ pid }) => [pid, readTreeCpuTime(pid)?.runNs] as const);
  return { ...snapshotCpu(performance), targets: new Map(targets) };
}

function at<T>(timeMs: number, task: () => T): Promise<T> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(task()), Math.max(timeMs - performance.now(), 0));
  });
}

interface Measured {
  readonly loads: readonly {
    readonly name: string;
    readonly pid: number;
    readonly measurement: Measurement;
  }[];
  readonly failedChecks: ReadonlyMap<string, number>;
  readonly before: Snapshot;
  readonly after: Snapshot;
  readonly turns: Turns | undefined;
}

function summarise({ loads, failedChecks, before, after, turns }: Measured): PairSample {
  const arms = new Map<string, ArmSample>();
  let targetsNs: number | undefined = 0;
  for (const { name, pid, measurement } of loads) {
    const counts = measurement.counts();
    const latency = measurement.latency();
    const answered = counts.ok + counts.non2xx;
    const spentNs = difference(before.targets.get(pid), after.targets.get(pid));
    targetsNs = targetsNs === undefined || spentNs === undefined ? undefined : targetsNs + spentNs;
    // The processor time covers the time between the snapshots, the answers the measured time. They differ by less than a millisecond.
    const perRequestUs = spentNs === undefined || answered === 0 ? undefined : spentNs / 1_000 / answered;
    arms.set(name, {
      perSecond: turns === undefined ? counts.perSecond : perSecondOf(answered, turns.openMs(name)),
      p50Ms: latency.p50,
      p99Ms: latency.p99,
      answered,
      errors: counts.errors,
      non2xx: counts.non2xx,
      ...(failedChecks.has(name) ? { failedChecks: failedChecks.get(name) ?? 0 } : {}),
      ...(perRequestUs === undefined ? {} : { cpuUs: perRequestUs }),
    });
  }
  const [base, head] = [arms.get('base'), arms.get('head')];
  if (base === undefined || head === undefined) throw new Error('A duet needs a base and a head.');
  return {
    base,
    head,
    conditions: {
      ...conditionsBetween(before, after),
      ...(targetsNs === undefined ? {} : { targetsRan: targetsNs / 1e6 / (after.atMs - before.atMs) }),
      ...(turns === undefined ? {} : { oneCore: true }),
    },
  };
}

function perSecondOf(answered: number, openMs: number): number {
  return openMs === 0 ? 0 : (answered / openMs) * 1_000;
}

function difference(from: number | undefined, to: number | undefined): number | undefined {
  return from === undefined || to === undefined ? undefined : to - from;
}

process.once('message', (plan: DuetPlan) => {
  run(plan).then(
    (sample) => process.send?.({ sample }, () => process.disconnect()),
    (error: Error) => process.send?.({ error: error.message }, () => process.disconnect()),
  );
});
// Stops when the parent process exits.
process.once('disconnect', () => process.exit());
