import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { panelsOf, readDashboards } from './dashboard-json.ts';
import { type LiveSystem, startLiveSystem } from './live-system.ts';
import { differences, rangeQuery } from './matrix.ts';

// Every query of every dashboard, against a real Prometheus and the service's own engine, over a shop under load.
// Equal answers need equal samples, and two scrapers never scrape at the same moment. So neither scrapes the shop
// itself: both scrape a replay that carries one exposition at a time, each sample with the moment at which it was
// taken, until both have it. What the two then hold is the same to the millisecond, and any difference is the engine's.
// Queries begin one window after the first exposition: how a counter that begins inside a window is extrapolated to
// zero, and whether a window's left edge belongs to it, changed in Prometheus 3, which the embedded engine follows.

let system: LiveSystem;
let range: { start: number; end: number; step: number };

beforeAll(async () => {
  system = await startLiveSystem();
  const { firstMs, lastMs } = await system.record(20);
  range = { start: Math.ceil(firstMs / 1000) + 4, end: Math.floor(lastMs / 1000), step: 1 };
  const last = 'timestamp(process_start_time_seconds{job="shop"})';
  const at = { start: range.end + 1, end: range.end + 1, step: 1 };
  for (const url of [system.prometheusUrl, system.serviceUrl]) {
    await vi.waitFor(
      async () => {
        const [values] = (await rangeQuery(url, last, at)).values();
        expect(values?.get(at.start)).toBe(lastMs / 1000);
      },
      { timeout: 20_000, interval: 100 },
    );
  }
}, 180_000);

afterAll(() => system?.stop());

/** What each scraper measures of its own scraping is not the same by nature. */
const ownMeasure = /\bscrape_duration_seconds\b/;

/** As Grafana expands it for the two replayed jobs, with a rate interval of eight scrapes. */
function expand(expr: string): string {
  return expr
    .replaceAll('$job', '(shop|service)')
    .replaceAll('$instance', '.+')
    .replaceAll('$__rate_interval', '4s');
}

test.each(readDashboards().map((dashboard) => [dashboard.uid, dashboard] as const))(
  'every query of %s answers alike, and something, on Prometheus and on the embedded engine',
  async (_, dashboard) => {
    const faults: string[] = [];
    for (const { title, targets = [] } of panelsOf(dashboard)) {
      for (const { expr, refId } of targets) {
        const query = expand(expr);
        const theirs = await rangeQuery(system.prometheusUrl, query, range);
        const ours = await rangeQuery(system.serviceUrl, query, range);
        const where = `${title} ${refId}`;
        if (theirs.size === 0) faults.push(`${where}: empty on Prometheus`);
        if (ours.size === 0) faults.push(`${where}: empty on the embedded engine`);
        const differing = ownMeasure.test(expr) ? [] : differences(ours, theirs);
        if (differing.length > 0) faults.push(`${where}: ${differing.length} points differ, ${differing[0]}`);
        for (const values of theirs.values()) {
          if ([...values.values()].some((value) => value < 0)) faults.push(`${where}: a value below zero`);
        }
      }
    }
    expect(faults).toEqual([]);
  },
);
