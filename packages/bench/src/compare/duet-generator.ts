import { runClosedLoop } from '../load/closed-loop.ts';
import { Measurement } from '../load/measurement.ts';
import type { FlowLoad } from '../load/run-flows.ts';
import { readCpuTime, readSteal, readTreeCpuTime } from '../process/cpu.ts';
import type { ArmSample, DuetPlan, PairSample } from './duet-plan.ts';
import { startTurns, type Turns } from './slice-turns.ts';

const sliceMs = 100;

/*
 * A process of its own: loads both builds from one event loop, at the same time or in turns, so that whatever disturbs the
 * generator disturbs both, and tells its parent what it saw.
 */

async function run(plan: DuetPlan): Promise<PairSample> {
  const now = (): number => performance.now();
  const { signal } = new AbortController();
  const flowLoads = await prepareFlows(plan);
  const beginMs = now();
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
      ? startTurns({ arms: loads.map(({ name }) => name), sliceMs, fromMs, toMs, now })
      : undefined;
  const failedChecks = new Map<string, number>();
  const common = { trust: plan.trust, now, signal, redirected: () => {} };
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

/** What the arms need of flows, before the clock starts. */
async function prepareFlows({ arms }: DuetPlan): Promise<ReadonlyMap<string, FlowLoad>> {
  const withFlows = arms.filter(({ scenario }) => scenario.flows !== undefined);
  if (withFlows.length === 0) return new Map();
  // Loaded only where it is needed: the generator of plain requests stays as small as it is.
  const { prepareFlowLoad } = await import('../load/run-flows.ts');
  return new Map(withFlows.map(({ name, scenario }) => [name, prepareFlowLoad(scenario)]));
}

interface Snapshot {
  readonly atMs: number;
  readonly cpuUs: number;
  readonly waitNs: number | undefined;
  readonly targets: ReadonlyMap<number, number | undefined>;
  readonly steal: { readonly stealTicks: number; readonly totalTicks: number } | undefined;
}

function snapshot(plan: DuetPlan): Snapshot {
  for (const pid of plan.signalPids ?? []) {
    try {
      process.kill(pid, 'SIGUSR2');
    } catch {
      // It has ended, which its parent tells.
    }
  }
  const targets = plan.arms.map(({ pid }) => [pid, readTreeCpuTime(pid)?.runNs] as const);
  const { user, system } = process.cpuUsage();
  return {
    atMs: performance.now(),
    cpuUs: user + system,
    waitNs: readCpuTime(process.pid)?.waitNs,
    targets: new Map(targets),
    steal: readSteal(),
  };
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
  const spanMs = after.atMs - before.atMs;
  const arms = new Map<string, ArmSample>();
  let targetsNs: number | undefined = 0;
  for (const { name, pid, measurement } of loads) {
    const counts = measurement.counts();
    const latency = measurement.latency();
    const answered = counts.ok + counts.non2xx;
    const spentNs = difference(before.targets.get(pid), after.targets.get(pid));
    targetsNs = targetsNs === undefined || spentNs === undefined ? undefined : targetsNs + spentNs;
    // The processor time spans the snapshots, the answers the measured time; the two differ by under a millisecond.
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
  const waitedNs = difference(before.waitNs, after.waitNs);
  const stolen = difference(before.steal?.stealTicks, after.steal?.stealTicks);
  const ticks = difference(before.steal?.totalTicks, after.steal?.totalTicks);
  return {
    base,
    head,
    conditions: {
      generatorBusy: (after.cpuUs - before.cpuUs) / 1_000 / spanMs,
      ...(waitedNs === undefined ? {} : { generatorWaited: waitedNs / 1e6 / spanMs }),
      ...(targetsNs === undefined ? {} : { targetsRan: targetsNs / 1e6 / spanMs }),
      ...(stolen === undefined || !ticks ? {} : { steal: stolen / ticks }),
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
// A parent that dies takes its generator with it.
process.once('disconnect', () => process.exit());
