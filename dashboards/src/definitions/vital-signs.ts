import { barGauge } from '../grafana/bar-gauge.ts';
import type { PanelDefinition } from '../grafana/panel.ts';
import { quantile, rate, ratio, select, selectAlerts } from '../grafana/query.ts';
import { stat } from '../grafana/stat.ts';

/** Names a series by its process. */
export const instanceLegend = '{{job}} {{instance}}';

const loopTime = 'nodejs_eventloop_time_seconds_total';

/** Share of time (0–1) that event loops were active, apart by `by`. */
export function loopUtilisation(by: readonly string[]): string {
  const labels = by.join(', ');
  const active = rate(loopTime, 'nodejs_eventloop_state="active"');
  return `sum by (${labels}) (${active}) / sum by (${labels}) (${rate(loopTime)})`;
}

const requests = 'http_server_request_duration_seconds';

const firing = selectAlerts('ALERTS', 'alertstate="firing"');
const since = selectAlerts('ALERTS_FOR_STATE');

/** What answers "is anything wrong?" without scrolling: the alerts that fire, and a number for each part. */
export const vitalSigns: readonly PanelDefinition[] = [
  barGauge({
    title: 'Alerts that fire',
    description:
      'How long the condition of each firing alert has held, of the rules of these dashboards and of any other. Its description says what to do, its runbook how. Needs the rules to be evaluated, by Prometheus or the service.',
    unit: 's',
    noData: 'No alert fires',
    width: 8,
    height: 8,
    base: 'red',
    queries: [
      {
        expr: `sort_desc(max by (alertname, severity, job) ((time() - ${since}) and ignoring (alertstate) ${firing}))`,
        legend: '{{alertname}} · {{job}} ({{severity}})',
        instant: true,
      },
    ],
  }),
  stat({
    title: 'Targets down',
    next: { uid: 'service', title: 'Service' },
    description: 'Targets whose last scrape failed. Anything but zero hides trouble behind missing data.',
    unit: 'short',
    noData: 'No targets',
    width: 4,
    decimals: 0,
    steps: [{ from: 1, color: 'red' }],
    queries: [{ expr: `sum(1 - ${select('up')})`, legend: 'down' }],
  }),
  stat({
    title: 'Requests',
    next: { uid: 'http', title: 'HTTP' },
    description: 'HTTP requests per second, all routes of the chosen jobs and instances.',
    unit: 'reqps',
    noData: 'No requests',
    width: 4,
    base: 'text',
    queries: [{ expr: `sum(${rate(`${requests}_count`)})`, legend: 'requests' }],
  }),
  stat({
    title: 'Errors',
    next: { uid: 'http', title: 'HTTP' },
    description: 'Share of requests answered with 5xx. Amber from 1 %, red from 5 %.',
    unit: 'percentunit',
    noData: 'No requests',
    width: 4,
    steps: [
      { from: 0.01, color: 'orange' },
      { from: 0.05, color: 'red' },
    ],
    queries: [
      {
        expr: ratio(
          `sum(${rate(`${requests}_count`, 'http_response_status_code=~"5.."')})`,
          `sum(${rate(`${requests}_count`)})`,
        ),
        legend: 'errors',
      },
    ],
  }),
  stat({
    title: 'Latency p99',
    next: { uid: 'http', title: 'HTTP' },
    description: '99 % of requests are answered within this time. Amber from 500 ms, red from 1 s.',
    unit: 's',
    noData: 'No requests',
    width: 4,
    steps: [
      { from: 0.5, color: 'orange' },
      { from: 1, color: 'red' },
    ],
    queries: [{ expr: quantile(0.99, requests), legend: 'p99' }],
  }),
  stat({
    title: 'Busiest event loop',
    next: { uid: 'runtime', title: 'Node.js runtime' },
    description: 'Utilisation of the busiest process. Amber from 80 %, red from 95 %.',
    unit: 'percentunit',
    noData: 'No runtime metrics',
    width: 4,
    steps: [
      { from: 0.8, color: 'orange' },
      { from: 0.95, color: 'red' },
    ],
    queries: [{ expr: `max(${loopUtilisation(['job', 'instance'])})`, legend: 'utilisation' }],
  }),
  stat({
    title: 'Cache hits',
    next: { uid: 'cache', title: 'Cache' },
    description: 'Share of cache reads answered from memory, Redis or a stale value, over all caches.',
    unit: 'percentunit',
    noData: 'No cache reads',
    width: 4,
    base: 'red',
    steps: [
      { from: 0.5, color: 'orange' },
      { from: 0.8, color: 'green' },
    ],
    queries: [
      {
        expr: ratio(
          `sum(${rate('weir_cache_reads_total', 'result=~"l1_hit|l2_hit|stale"')})`,
          `sum(${rate('weir_cache_reads_total')})`,
        ),
        legend: 'hits',
      },
    ],
  }),
  stat({
    title: 'Denied',
    next: { uid: 'ratelimit', title: 'Rate limits' },
    description: 'Share of limiter decisions that turned a request away. Amber from 10 %, red from 50 %.',
    unit: 'percentunit',
    noData: 'No decisions',
    width: 4,
    steps: [
      { from: 0.1, color: 'orange' },
      { from: 0.5, color: 'red' },
    ],
    queries: [
      {
        expr: ratio(
          `sum(${rate('weir_ratelimit_decisions_total', 'decision="denied"')})`,
          `sum(${rate('weir_ratelimit_decisions_total')})`,
        ),
        legend: 'denied',
      },
    ],
  }),
  stat({
    title: 'Slow statements',
    next: { uid: 'database', title: 'Database' },
    description: 'Database statements above the slow-query threshold, per minute.',
    unit: 'cpm',
    noData: 'None seen',
    width: 4,
    steps: [
      { from: 0.1, color: 'orange' },
      { from: 10, color: 'red' },
    ],
    queries: [{ expr: `60 * sum(${rate('weir_db_slow_queries_total')})`, legend: 'slow' }],
  }),
];
