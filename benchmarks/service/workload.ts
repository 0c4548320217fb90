import { seededRandom } from '@weir/test-kit';

/** A fleet as the packages' catalogue would show it, some 500 series an instance, advanced scrape by scrape. */
export interface Workload {
  /** Label texts `name{…}`, without `job` and `instance`, of one instance. */
  readonly series: readonly string[];
  readonly instances: number;
  /** The values after one more interval, instance by instance in the order of `series`. */
  advance(seconds: number): Float64Array;
}

interface Histogram {
  readonly at: number;
  readonly bounds: readonly number[];
  readonly rate: number;
  readonly scale: number;
}

const httpBounds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
const dbBounds = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];
const loopBounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

export function createWorkload(instances: number, seed = 1): Workload {
  const random = seededRandom(seed);
  const series: string[] = [];
  const histograms: Histogram[] = [];
  const counters: { at: number; rate: number }[] = [];
  const gauges: { at: number; scale: number; whole: boolean }[] = [];
  const histogram = (
    name: string,
    labels: string,
    bounds: readonly number[],
    rate: number,
    scale: number,
  ): void => {
    histograms.push({ at: series.length, bounds, rate, scale });
    const prefix = labels === '' ? '' : `${labels},`;
    for (const bound of [...bounds, '+Inf']) series.push(`${name}_bucket{${prefix}le="${bound}"}`);
    series.push(`${name}_sum{${labels}}`, `${name}_count{${labels}}`);
  };
  for (let route = 0; route < 8; route++)
    for (const [status, share] of [
      ['200', 1],
      ['404', 0.02],
      ['500', 0.001],
    ] as const)
      histogram(
        'http_server_request_duration_seconds',
        `http_request_method="GET",http_route="/route-${route}/:id",http_response_status_code="${status}"`,
        httpBounds,
        (20 / (route + 1)) * share,
        0.01 * (1 + route),
      );
  for (let query = 0; query < 6; query++)
    histogram(
      'db_client_operation_duration_seconds',
      `db_system_name="postgresql",db_query_summary="SELECT table_${query}",db_query_fingerprint="${String(query).repeat(16)}"`,
      dbBounds,
      10 / (query + 1),
      0.002,
    );
  histogram('nodejs_eventloop_delay_seconds', '', loopBounds, 50, 0.001);
  const counter = (text: string, rate: number): void => {
    counters.push({ at: series.length, rate });
    series.push(text);
  };
  for (const result of ['l1_hit', 'l2_hit', 'stale', 'coalesced', 'miss'])
    counter(`weir_cache_reads_total{cache="shop",result="${result}"}`, result === 'l1_hit' ? 40 : 2);
  for (const decision of ['allowed', 'denied'])
    for (const source of ['memory', 'redis'])
      counter(
        `weir_ratelimit_decisions_total{limiter="search",decision="${decision}",source="${source}"}`,
        decision === 'allowed' ? 8 : 0.1,
      );
  for (const state of ['active', 'idle'])
    counter(`nodejs_eventloop_time_seconds_total{nodejs_eventloop_state="${state}"}`, 0.5);
  counter('process_cpu_seconds_total{}', 0.3);
  const gauge = (text: string, scale: number, whole = true): void => {
    gauges.push({ at: series.length, scale, whole });
    series.push(text);
  };
  gauge('process_resident_memory_bytes{}', 1e8);
  for (let space = 0; space < 8; space++)
    gauge(`v8js_memory_heap_used_bytes{v8js_heap_space_name="space_${space}"}`, 1e7);
  for (const state of ['idle', 'used'])
    gauge(
      `db_client_connection_count{db_client_connection_pool_name="shop",db_client_connection_state="${state}"}`,
      10,
    );
  gauge('http_server_active_requests{http_request_method="GET"}', 5);

  const values = new Float64Array(series.length * instances);
  const advance = (seconds: number): Float64Array => {
    for (let instance = 0; instance < instances; instance++) {
      const base = instance * series.length;
      for (const h of histograms) observe(values, base, h, poisson(random, h.rate * seconds), random);
      for (const { at, rate } of counters)
        values[base + at] =
          (values[base + at] as number) +
          (rate < 1 ? rate * seconds * random() : poisson(random, rate * seconds));
      for (const { at, scale, whole } of gauges) {
        const value = scale * (0.5 + random() * 0.5);
        values[base + at] = whole
          ? Math.floor(value / (scale > 1e6 ? 4096 : 1)) * (scale > 1e6 ? 4096 : 1)
          : value;
      }
    }
    return values;
  };
  return { series, instances, advance };
}

function observe(
  values: Float64Array,
  base: number,
  h: Histogram,
  count: number,
  random: () => number,
): void {
  const { at, bounds, scale } = h;
  for (let i = 0; i < count; i++) {
    const seconds = scale * Math.exp(1.2 * (random() + random() + random() - 1.5) * 2);
    let bucket = bounds.findIndex((bound) => seconds <= bound);
    if (bucket === -1) bucket = bounds.length;
    for (let b = bucket; b <= bounds.length; b++)
      values[base + at + b] = (values[base + at + b] as number) + 1;
    const sum = base + at + bounds.length + 1;
    values[sum] = (values[sum] as number) + seconds;
    values[sum + 1] = (values[sum + 1] as number) + 1;
  }
}

function poisson(random: () => number, mean: number): number {
  if (mean > 30)
    return Math.max(0, Math.round(mean + Math.sqrt(mean) * (random() + random() + random() - 1.5) * 2));
  const limit = Math.exp(-mean);
  let product = random();
  let count = 0;
  while (product > limit) {
    product *= random();
    count++;
  }
  return count;
}

/** The text of one sample's series with its target's labels. */
export function withTarget(text: string, instance: number): string {
  const open = text.indexOf('{');
  const inside = text.slice(open + 1, -1);
  return `${text.slice(0, open)}{${inside}${inside === '' ? '' : ','}job="shop",instance="10.0.0.${instance}:4041"}`;
}
