import type { DashboardDefinition } from '../grafana/dashboard.ts';
import { quantile, rate, select } from '../grafana/query.ts';
import { timeSeries } from '../grafana/time-series.ts';
import { instanceLegend, loopUtilisation, vitalSigns } from './vital-signs.ts';

const requests = 'http_server_request_duration_seconds';
const loads = 'weir_cache_load_duration_seconds';
const statements = 'db_client_operation_duration_seconds';

/** Is the fleet well, and if not, which part of which service? */
export const overview: DashboardDefinition = {
  uid: 'weir-overview',
  title: 'Weir overview',
  description:
    'Is the fleet well, and if not, which part of it? Requests, saturation, cache, limits and database of every service at a glance.',
  from: 'now-15m',
  top: vitalSigns,
  rows: [
    {
      title: 'Requests',
      panels: [
        timeSeries({
          title: 'Requests by route',
          next: { uid: 'http', title: 'HTTP' },
          description:
            'Requests per second by route template. A route that vanishes is as telling as one that grows.',
          unit: 'reqps',
          noData: 'No HTTP requests in this range',
          width: 8,
          queries: [{ expr: `sum by (http_route) (${rate(`${requests}_count`)})`, legend: '{{http_route}}' }],
        }),
        timeSeries({
          title: 'Responses by status',
          next: { uid: 'http', title: 'HTTP' },
          description:
            'Responses per second by status code. Red is the server failing (5xx), amber the client or a limit (4xx).',
          unit: 'reqps',
          noData: 'No HTTP requests in this range',
          width: 8,
          stacked: true,
          colors: { '^2': 'green', '^3': 'blue', '^4': 'orange', '^5': 'red' },
          queries: [
            {
              expr: `sum by (http_response_status_code) (${rate(`${requests}_count`)})`,
              legend: '{{http_response_status_code}}',
            },
          ],
        }),
        timeSeries({
          title: 'Latency',
          next: { uid: 'http', title: 'HTTP' },
          description:
            'Half, 95 % and 99 % of requests are answered within these times, over all routes. p99 far from p50 means that some requests wait for something others do not.',
          unit: 's',
          noData: 'No HTTP requests in this range',
          width: 8,
          log: true,
          calcs: ['lastNotNull', 'max'],
          colors: { p50: 'blue', p95: 'purple', p99: 'orange' },
          queries: [
            { expr: quantile(0.5, requests), legend: 'p50' },
            { expr: quantile(0.95, requests), legend: 'p95' },
            { expr: quantile(0.99, requests), legend: 'p99', exemplar: true },
          ],
        }),
      ],
    },
    {
      title: 'Saturation',
      panels: [
        timeSeries({
          title: 'Event-loop utilisation',
          next: { uid: 'runtime', title: 'Node.js runtime' },
          description:
            'Share of time the event loop spends running code. Above 80 % requests queue inside the process: add instances or find the slow code.',
          unit: 'percentunit',
          noData: 'No Node.js runtime metrics in this range',
          width: 6,
          max: 1,
          limits: [
            { from: 0.8, color: 'orange' },
            { from: 0.95, color: 'red' },
          ],
          queries: [{ expr: loopUtilisation(['job', 'instance']), legend: instanceLegend }],
        }),
        timeSeries({
          title: 'Event-loop delay (p99)',
          description:
            'How much later than asked 99 % of timers ran: every request pays this at each turn of the loop.',
          unit: 's',
          noData: 'No Node.js runtime metrics in this range',
          width: 6,
          log: true,
          queries: [
            {
              expr: quantile(0.99, 'nodejs_eventloop_delay_seconds', ['job', 'instance']),
              legend: instanceLegend,
            },
          ],
        }),
        timeSeries({
          title: 'CPU',
          description:
            'Cores used by each process. A Node.js process runs its JavaScript on one core; more than one means garbage collection, zlib, crypto or workers.',
          unit: 'short',
          noData: 'No process metrics in this range',
          width: 6,
          queries: [
            {
              expr: `sum by (job, instance) (${rate('process_cpu_seconds_total')})`,
              legend: instanceLegend,
            },
          ],
        }),
        timeSeries({
          title: 'Memory',
          description:
            'Resident memory of each process. A line that only climbs is a leak; a cliff is a restart.',
          unit: 'bytes',
          noData: 'No process metrics in this range',
          width: 6,
          queries: [
            {
              expr: `sum by (job, instance) (${select('process_resident_memory_bytes')})`,
              legend: instanceLegend,
            },
          ],
        }),
      ],
    },
    {
      title: 'Cache',
      panels: [
        timeSeries({
          title: 'Hit ratio by cache',
          next: { uid: 'cache', title: 'Cache' },
          description:
            'Share of reads answered from memory, Redis or a stale value. A sudden fall means an outage of the second tier, an invalidation storm or a new key pattern.',
          unit: 'percentunit',
          noData: 'No cache reads in this range',
          width: 8,
          max: 1,
          queries: [
            {
              expr: `sum by (cache) (${rate('weir_cache_reads_total', 'result=~"l1_hit|l2_hit|stale"')}) / (sum by (cache) (${rate('weir_cache_reads_total')}) > 0)`,
              legend: '{{cache}}',
            },
          ],
        }),
        timeSeries({
          title: 'Reads by result',
          description:
            'What each read met: memory, Redis, a stale value, a load already under way, or nothing.',
          unit: 'ops',
          noData: 'No cache reads in this range',
          width: 8,
          stacked: true,
          colors: {
            '^l1_hit$': 'green',
            '^l2_hit$': 'blue',
            '^stale$': 'yellow',
            '^coalesced$': 'purple',
            '^miss$': 'orange',
          },
          queries: [{ expr: `sum by (result) (${rate('weir_cache_reads_total')})`, legend: '{{result}}' }],
        }),
        timeSeries({
          title: 'Load time (p95)',
          description:
            'How long the loader behind each cache takes: what a miss costs, and what the database would bear without the cache.',
          unit: 's',
          noData: 'No cache loads in this range: every read was a hit, or none was made',
          width: 8,
          log: true,
          queries: [{ expr: quantile(0.95, loads, ['cache']), legend: '{{cache}}' }],
        }),
      ],
    },
    {
      title: 'Limits',
      panels: [
        timeSeries({
          title: 'Decisions',
          next: { uid: 'ratelimit', title: 'Rate limits' },
          description: 'Requests that the limiters let pass and turned away, per second.',
          unit: 'reqps',
          noData: 'No limiter decisions in this range',
          width: 8,
          stacked: true,
          colors: { allowed: 'blue', denied: 'orange' },
          queries: [
            {
              expr: `sum by (decision) (${rate('weir_ratelimit_decisions_total')})`,
              legend: '{{decision}}',
            },
          ],
        }),
        timeSeries({
          title: 'Denials by policy',
          description:
            'Which limit turned requests away. One request may break several policies and counts in each.',
          unit: 'reqps',
          noData: 'Nothing was denied in this range',
          width: 8,
          queries: [
            {
              expr: `sum by (limiter, policy) (${rate('weir_ratelimit_violations_total')})`,
              legend: '{{limiter}} · {{policy}}',
            },
          ],
        }),
        timeSeries({
          title: 'Decisions by source',
          description:
            'Who decided: this process (memory, lease, deny_cache), Redis, or the fallback while Redis fails (local, open, closed). Any fallback deserves a look at Redis.',
          unit: 'reqps',
          noData: 'No limiter decisions in this range',
          width: 8,
          stacked: true,
          colors: {
            '^(memory|lease|deny_cache)$': 'blue',
            '^redis$': 'green',
            '^local$': 'orange',
            '^(open|closed)$': 'red',
          },
          queries: [
            { expr: `sum by (source) (${rate('weir_ratelimit_decisions_total')})`, legend: '{{source}}' },
          ],
        }),
      ],
    },
    {
      title: 'Database',
      panels: [
        timeSeries({
          title: 'Database time by statement',
          next: { uid: 'database', title: 'Database' },
          description:
            'Statements in progress on average, by statement: where the database spends its time. The ten heaviest.',
          unit: 'short',
          noData: 'No database statements in this range',
          width: 8,
          queries: [
            {
              expr: `topk(10, sum by (db_query_summary) (${rate(`${statements}_sum`)}) > 0)`,
              legend: '{{db_query_summary}}',
            },
          ],
        }),
        timeSeries({
          title: 'Statement latency (p99)',
          description: 'The slowest hundredth of each statement, seen from the application.',
          unit: 's',
          noData: 'No database statements in this range',
          width: 6,
          log: true,
          traces: { 'span.db.query.summary': 'db_query_summary' },
          queries: [
            {
              expr: quantile(0.99, statements, ['db_query_summary']),
              legend: '{{db_query_summary}}',
              exemplar: true,
            },
          ],
        }),
        timeSeries({
          title: 'Slow statements and N+1',
          description:
            'Statements above the slow-query threshold, and requests that ran the same statement over and over, per minute.',
          unit: 'cpm',
          noData: 'No slow statement and no N+1 seen yet',
          width: 5,
          colors: { slow: 'orange', 'N\\+1': 'purple' },
          queries: [
            { expr: `60 * sum(${rate('weir_db_slow_queries_total')})`, legend: 'slow' },
            { expr: `60 * sum(${rate('weir_db_n_plus_one_total')})`, legend: 'N+1' },
          ],
        }),
        timeSeries({
          title: 'Connections',
          next: { uid: 'database', title: 'Database' },
          description:
            'Pool connections in use against the pool’s size, and requests waiting for one. Waiting requests mean that the pool is too small or statements too slow.',
          unit: 'short',
          noData: 'No instrumented pool in this range',
          width: 5,
          colors: { used: 'blue', size: 'text', waiting: 'red' },
          queries: [
            {
              expr: `sum(${select('db_client_connection_count', 'db_client_connection_state="used"')})`,
              legend: 'used',
            },
            { expr: `sum(${select('db_client_connection_max')})`, legend: 'size' },
            { expr: `sum(${select('db_client_connection_pending_requests')})`, legend: 'waiting' },
          ],
        }),
      ],
    },
  ],
};
