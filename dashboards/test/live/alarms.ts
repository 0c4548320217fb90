import { setTimeout as delay } from 'node:timers/promises';
import { type ConditionName, provoke } from '../../../examples/shop/src/conditions.ts';
import type { LiveShop, LiveSystem } from './live-system.ts';

/** A condition and the alerts that answer it. */
export interface Alarm {
  readonly condition: ConditionName | 'benchmark-regression' | 'scrape-failure';
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
  { condition: 'benchmark-regression', fires: ['WeirBenchmarkRegressed'] },
];

/** Apart from the others: the engines do not hold the same samples afterwards. */
export const scrapeFailure: Alarm = { condition: 'scrape-failure', fires: ['WeirTargetDown'] };

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

/**
 * Waits for calm, provokes the condition until its alerts fire in both engines, ends it and waits for calm again; tells
 * of every other alert that fires meanwhile.
 */
export async function rehearse(system: LiveSystem, alarm: Alarm, timeoutMs: number): Promise<Rehearsal> {
  const { condition, fires, symptoms = [] } = alarm;
  const faults = new Set<string>();
  const seen = new Set<string>();
  const fired: Record<Engine, number | undefined> = { prometheus: undefined, service: undefined };
  await eventually(timeoutMs, async () => !(await firingAnywhere(system)));
  const startMs = Date.now();
  const end = new AbortController();
  const running = keepUp(system, condition, end.signal);
  const look = async (): Promise<ReadonlySet<string>> => {
    const all = new Set<string>();
    for (const engine of engines) {
      const names = await firing(system, engine);
      for (const name of names) {
        all.add(name);
        if (symptoms.includes(name)) seen.add(name);
        else if (!fires.includes(name)) faults.add(`${engine}: ${name} fired as well`);
      }
      if (fires.every((name) => names.has(name)))
        fired[engine] ??= Math.round((Date.now() - startMs) / 100) / 10;
    }
    return all;
  };
  await eventually(timeoutMs, async () => {
    await look();
    return engines.every((engine) => fired[engine] !== undefined);
  });
  end.abort();
  const calm = await eventually(timeoutMs, async () => (await look()).size === 0);
  await running;
  if (!calm) faults.add(`still firing long after: ${[...(await look())]}`);
  for (const engine of engines) {
    if (fired[engine] === undefined) faults.add(`${engine}: ${fires.join(' and ')} did not fire`);
  }
  return { condition, fired, symptoms: [...seen], faults: [...faults] };
}

/** Keeps the condition up until `signal` aborts, and then ends it. */
async function keepUp(system: LiveSystem, condition: Alarm['condition'], signal: AbortSignal): Promise<void> {
  const { shopUrl, redis } = system;
  const aborted = new Promise((resolve) => signal.addEventListener('abort', resolve));
  if (condition === 'benchmark-regression') {
    await system.deploy('slower');
    await system.runBenchmark();
    await aborted;
    await system.deploy('usual');
    await system.calmBenchmark();
  } else if (condition === 'scrape-failure') {
    system.failScrapes(true);
    await aborted;
    system.failScrapes(false);
  } else {
    const frozen = condition === 'limiter-outage' ? redis.limits : redis.cache;
    await provoke(condition, { target: shopUrl, redis: frozen, signal });
  }
}

/** Names of the alerts that fire in an engine. */
async function firing(system: LiveSystem, engine: Engine): Promise<ReadonlySet<string>> {
  const url = engine === 'prometheus' ? system.prometheusUrl : system.serviceUrl;
  const { data } = (await (await fetch(`${url}/api/v1/alerts`)).json()) as {
    data: { alerts: { state: string; labels: { alertname: string } }[] };
  };
  const active = data.alerts.filter(({ state }) => state === 'firing');
  return new Set(active.map(({ labels }) => labels.alertname));
}

async function firingAnywhere(system: LiveSystem): Promise<boolean> {
  const names = await Promise.all(engines.map((engine) => firing(system, engine)));
  return names.some((set) => set.size > 0);
}

/** Looks until it `holds`; whether it did in time. */
async function eventually(timeoutMs: number, holds: () => Promise<boolean>): Promise<boolean> {
  const deadlineMs = Date.now() + timeoutMs;
  while (Date.now() < deadlineMs) {
    if (await holds()) return true;
    await delay(200);
  }
  return false;
}

/** Meets every condition for a moment, so that all series exist before anything is recorded. */
export async function meetAll({ shopUrl, redis }: LiveShop): Promise<void> {
  const conditions = alarms
    .map(({ condition }) => condition)
    .filter((name) => name !== 'benchmark-regression' && name !== 'scrape-failure');
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
