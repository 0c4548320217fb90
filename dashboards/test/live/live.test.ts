import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { compare, panelQueries, ruleQueries } from './agreement.ts';
import { alarms, meetAll, rehearse } from './alarms.ts';
import { type LiveSystem, startLiveSystem } from './live-system.ts';

// Every query of every dashboard and rule, against a real Prometheus and the service's own engine, over a shop under
// load; and two of the provoked conditions. `pnpm prove:dashboards` provokes all of them, with longer windows.
// Equal answers need equal samples, and two scrapers never scrape at the same moment. So neither scrapes the shop
// itself: both scrape a replay that carries one exposition at a time, each sample with the moment at which it was
// taken, until both have it. What the two then hold is the same to the millisecond, and any difference is the engine's.

const short = new Set(['n-plus-one', 'limiter-outage']);
const recordedMs = 25_000;
let system: LiveSystem;
let rehearsals: Awaited<ReturnType<typeof rehearse>>[] = [];

beforeAll(async () => {
  system = await startLiveSystem({ scrapeInterval: '250ms', timeScale: 0.01 }, meetAll);
  for (const alarm of alarms.filter(({ condition }) => short.has(condition))) {
    rehearsals = [...rehearsals, await rehearse(system, alarm, 30_000)];
  }
  // Until the longest windows are filled.
  await vi.waitUntil(() => system.recorded().lastMs - system.recorded().firstMs > recordedMs, 30_000);
}, 180_000);

afterAll(() => system?.stop());

test('the alert for an N+1 and for a limiter without Redis fires in both engines, and no other', () => {
  expect(rehearsals.map(({ condition }) => condition)).toEqual(
    alarms.map(({ condition }) => condition).filter((name) => short.has(name)),
  );
  expect(rehearsals.flatMap(({ faults }) => faults)).toEqual([]);
});

test.each([
  ['panel and mark', () => panelQueries()],
  ['rule', () => ruleQueries(system.settings, 6)],
])('every query of every %s answers alike, and something, on both engines', async (_, queries) => {
  const { firstMs, lastMs } = system.recorded();
  const range = { start: Math.ceil(firstMs / 1000), end: Math.floor(lastMs / 1000) - 2 };
  const faults: string[] = [];
  for (const query of queries()) faults.push(...(await compare(system, query, range)).faults);
  expect(faults).toEqual([]);
});
