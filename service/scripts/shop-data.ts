import { setTimeout as delay } from 'node:timers/promises';
import { Labels, MemoryQueryable } from '@weir/promql';
import type { AgreementData } from '../../packages/promql/test/agreement/random-data.ts';
import type { Vocabulary } from '../../packages/promql/test/agreement/random-query.ts';
import { parseNumber } from '../../packages/promql/test/conformance/series-description.ts';
import { startLiveSystem } from '../web/test/live-system.ts';

const warmUpMs = 30_000;
const recordMs = 90_000;
/** Moments of queries are ten apart in the last figure, samples never end in it. */
const gridMs = 10;

const words: Vocabulary = {
  counters: [
    'http_server_request_duration_seconds_count',
    'db_client_operation_duration_seconds_count{db_query_summary!=""}',
    'weir_cache_reads_total{result=~"l1_hit|miss"}',
    'nodejs_eventloop_time_seconds_total',
    'process_cpu_seconds_total',
  ],
  metrics: [
    [
      'http_server_request_duration_seconds_sum',
      ['http_route=~"/products.*"', 'http_response_status_code!~"5.."'],
    ],
    ['http_server_request_duration_seconds_count', ['http_request_method="GET"', 'http_route!=""']],
    ['db_client_operation_duration_seconds_sum', ['db_query_summary=~"SELECT.*"', 'job="shop"']],
    ['weir_cache_reads_total', ['result!="stale"', 'cache=~".+"']],
    ['weir_ratelimit_decisions_total', ['decision="denied"', 'limiter!=""']],
    ['v8js_memory_heap_used_bytes', ['v8js_heap_space_name=~"old.*|new.*"']],
    ['process_resident_memory_bytes', ['job="shop"']],
    ['db_client_connection_count', ['db_client_connection_state="idle"']],
    ['nothing', ['job="shop"']],
  ],
  nameless: '{__name__=~"nodejs_active_resources|process_open_fds|http_server_active_requests"}',
  ranked: ['nodejs_eventloop_time_seconds_total', 'process_cpu_seconds_total', 'process_start_time_seconds'],
  buckets: 'http_server_request_duration_seconds_bucket',
  labels: ['job', 'http_route', 'result'],
  ranges: ['2s', '5s', '10s', '15s', '30s'],
  offsets: ['1s', '5s', '20s', '-2s'],
  steps: ['1s', '2s', '5s'],
};

/**
 * A minute and a half of the shop under its traffic, collected by the service, four scrapes a second. Left out are series that began
 * while it was recorded: there Prometheus 2 and 3 extrapolate otherwise.
 */
export async function shopData(): Promise<AgreementData> {
  const system = await startLiveSystem();
  try {
    await delay(warmUpMs);
    const startMs = Math.ceil(Date.now() / 1_000) * 1_000;
    await delay(recordMs);
    const query = `{job="shop"}[${Math.ceil((Date.now() - startMs) / 1_000)}s]`;
    const answer = await fetch(`${system.serviceUrl}/api/v1/query`, {
      method: 'POST',
      body: new URLSearchParams({ query }),
    });
    const { data } = (await answer.json()) as {
      data: { result: { metric: Record<string, string>; values: [number, string][] }[] };
    };
    const queryable = new MemoryQueryable();
    const lines: string[] = [];
    const byName = data.result.toSorted((a, b) =>
      (a.metric.__name__ ?? '') < (b.metric.__name__ ?? '') ? -1 : 1,
    );
    for (const { metric, values } of byName) {
      const [[first] = [0]] = values;
      if (first * 1_000 > startMs + 2_000) continue;
      const { __name__: name, ...labels } = metric;
      const text = Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
      const points = values.map(([seconds, value]): [number, number] => [
        offGrid(Math.round(seconds * 1_000)),
        parseNumber(value),
      ]);
      queryable.add(Labels.from(metric), points);
      for (const [timeMs, value] of points)
        lines.push(`${name}{${text.join()}} ${value} ${(timeMs / 1_000).toFixed(3)}`);
    }
    return {
      queryable,
      openMetrics: `${lines.join('\n')}\n# EOF\n`,
      // Off whole seconds, too, on which subqueries evaluate.
      firstMs: startMs + 50_510,
      stepMs: 1_000,
      moments: 38,
      words,
    };
  } finally {
    await system.stop();
  }
}

function offGrid(timeMs: number): number {
  return timeMs % gridMs === 0 ? timeMs + 1 : timeMs;
}
