import { setTimeout as delay } from 'node:timers/promises';
import { type ConditionName, provoke } from '../../../examples/shop/src/conditions.ts';
import type { LiveShop, LiveSystem } from './live-system.ts';

/** A condition and the alerts that answer it. */
export interface Alarm {
  readonly condition: ConditionName | 'benchmark-regression';
  /** Must fire in both engines. */
  readonly fires: readonly string[];
  /** May fire too: what users feel of the same condition. Everything else is a fault. */
  readonly symptoms?: readonly string[];
}

const budgets = ['WeirErrorBudgetBurn', 'WeirLatencyBudgetBurn'].flatMap((name) => [
  name,
  `${name}Fast`,
  `${name}Slow`,
]);

/** Every condition that can be provoked, in an order in which none stands in the way of the next. */
export const alarms: readonly Alarm[] = [
  { condition: 'n-plus-one', fires: ['WeirNPlusOne'] },
  { condition: 'limiter-outage', fires: ['WeirLimiterOnFallback'] },
  { condition: 'limiter-denial', fires: ['WeirLimiterDenying'] },
  { condition: 'slow-query', fires: ['WeirSlowStatements'] },
  { condition: 'cache-outage', fires: ['WeirCacheRedisFailing'] },
  { condition: 'hit-ratio-collapse', fires: ['WeirCacheHitRatioCollapsed'] },
  { condition: 'pool-exhaustion', fires: ['WeirPoolExhausted'] },
  { condition: 'overload', fires: ['WeirEventLoopSaturated', 'WeirLoadShedding'], symptoms: budgets },
  // The last, since it stays until better builds have run.
  { condition: 'benchmark-regression', fires: ['WeirBenchmarkRegressed'] },
];

/** What came of one alarm; an empty `faults` is a success. */
export interface Rehearsal {
  readonly condition: Alarm['condition'];
  /** Seconds from the beginning of the condition until all its alerts fired, by engine. */
  readonly fired: { readonly prometheus: number | undefined; readonly service: number | undefined };
  /** Symptoms that fired as well. */
  readonly symptoms: readonly string[];
  readonly faults: readonly string[];
}

const engines = ['prometheus', 'service'] as const;
type Engine = (typeof engines)[number];

/** Waits for calm, provokes the condition until its alerts fire in both engines, and tells of every other alert. */
export async function rehearse(system: LiveSystem, alarm: Alarm, timeoutMs: number): Promise<Rehearsal> {
  const { condition, fires, symptoms = [] } = alarm;
  const faults = new Set<string>();
  const seen = new Set<string>();
  const fired: Record<Engine, number | undefined> = { prometheus: undefined, service: undefined };
  if (!(await calm(system, timeoutMs)))
    faults.add(`not calm before: ${[...(await firing(system, 'service'))]}`);
  const startMs = Date.now();
  const end = new AbortController();
  const running = begin(system, condition, end.signal);
  while (Date.now() - startMs < timeoutMs && engines.some((engine) => fired[engine] === undefined)) {
    for (const engine of engines) {
      const names = await firing(system, engine);
      for (const name of names) {
        if (symptoms.includes(name)) seen.add(name);
        else if (!fires.includes(name)) faults.add(`${engine}: ${name} fired as well`);
      }
      if (fires.every((name) => names.has(name))) fired[engine] ??= (Date.now() - startMs) / 1000;
    }
    await delay(200);
  }
  end.abort();
  await running;
  for (const engine of engines) {
    if (fired[engine] === undefined)
      faults.add(
        `${engine}: ${fires.join(' and ')} did not fire, but ${[...(await firing(system, engine))]}`,
      );
  }
  return { condition, fired, symptoms: [...seen], faults: [...faults] };
}

async function begin(
  system: LiveSystem,
  condition: Alarm['condition'],
  signal: AbortSignal,
): Promise<unknown> {
  const { shopUrl, redis } = system;
  if (condition !== 'benchmark-regression') {
    const frozen = condition === 'limiter-outage' ? redis.limits : redis.cache;
    return provoke(condition, { target: shopUrl, redis: frozen, signal });
  }
  await system.deploySlowerBuild();
  return system.runBenchmark();
}

/** Names of the alerts that fire in an engine. */
export async function firing(system: LiveSystem, engine: Engine): Promise<ReadonlySet<string>> {
  const url = engine === 'prometheus' ? system.prometheusUrl : system.serviceUrl;
  const { data } = (await (await fetch(`${url}/api/v1/alerts`)).json()) as {
    data: { alerts: { state: string; labels: { alertname: string } }[] };
  };
  const active = data.alerts.filter(({ state }) => state === 'firing');
  return new Set(active.map(({ labels }) => labels.alertname));
}

/** Resolves once nothing fires in either engine, with whether that was so in time. */
async function calm(system: LiveSystem, timeoutMs: number): Promise<boolean> {
  const deadlineMs = Date.now() + timeoutMs;
  while (Date.now() < deadlineMs) {
    const names = await Promise.all(engines.map((engine) => firing(system, engine)));
    if (names.every((set) => set.size === 0)) return true;
    await delay(200);
  }
  return false;
}

/** Meets every condition for a moment, so that all series exist before anything is recorded. */
export async function meetAll({ shopUrl, redis }: LiveShop): Promise<void> {
  const conditions = alarms
    .map(({ condition }) => condition)
    .filter((name) => name !== 'benchmark-regression');
  for (const condition of conditions) {
    const frozen = condition === 'limiter-outage' ? redis.limits : redis.cache;
    const outage = condition.endsWith('outage');
    await provoke(condition, {
      target: shopUrl,
      redis: frozen,
      signal: AbortSignal.timeout(outage ? 1500 : 800),
    });
  }
}
