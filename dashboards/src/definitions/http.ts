import type { DashboardDefinition } from '../grafana/dashboard.ts';
import { heatMap } from '../grafana/heat-map.ts';
import type { PanelDefinition } from '../grafana/panel.ts';
import { quantile, rate, ratio, scope, select } from '../grafana/query.ts';
import { stat } from '../grafana/stat.ts';
import { timeSeries } from '../grafana/time-series.ts';
import { badRatio, eventsOf, type Objective, type Slo } from '../slo.ts';

const requests = 'http_server_request_duration_seconds';
const count = `${requests}_count`;
const failed = 'http_response_status_code=~"5.."';
const noRequests = 'No HTTP requests in this range';
const errorRatio = ratio(`sum(${rate(count, failed)})`, `sum(${rate(count)})`);
/** What is left of an objective's budget, and how fast it goes: one line of panels. */
function budget(objective: Objective): readonly PanelDefinition[] {
  const { name, target, withinSeconds } = objective;
  const events = eventsOf(objective, scope);
  const allowed = Number((1 - target).toPrecision(6));
  const percent = Number((target * 100).toPrecision(6));
  const promise = withinSeconds === undefined ? 'without 5xx' : `within ${withinSeconds} s`;
  return [
    stat({
      title: `Budget left: ${name}`,
      description: `Share of the budget that the range on screen leaves, where ${percent} % of requests shall be answered ${promise}. Choose the objective’s period, such as 30 days. Below zero the promise is broken.`,
      unit: 'percentunit',
      noData: 'No requests',
      width: 5,
      height: 7,
      plain: true,
      base: 'red',
      steps: [
        { from: 0, color: 'orange' },
        { from: 0.25, color: 'green' },
      ],
      queries: [
        {
          expr: `1 - (${badRatio(events, 'increase', '$__range', 'sum')}) / ${allowed}`,
          legend: 'left',
          instant: true,
        },
      ],
    }),
    stat({
      title: `Good: ${name}`,
      description: `Share of requests answered ${promise} just now. The objective is ${percent} %.`,
      unit: 'percentunit',
      noData: 'No requests',
      width: 5,
      height: 7,
      decimals: 2,
      base: 'red',
      steps: [
        { from: Number((1 - 10 * allowed).toPrecision(6)), color: 'orange' },
        { from: target, color: 'green' },
      ],
      queries: [{ expr: `1 - (${badRatio(events, 'rate', '$__rate_interval', 'sum')})`, legend: 'good' }],
    }),
    timeSeries({
      title: `Burn rate: ${name}`,
      description:
        'How fast the budget is spent, by job: 1 spends it exactly within the objective’s period; 14.4 spends a month’s within two days and pages.',
      unit: 'short',
      noData: noRequests,
      width: 14,
      height: 7,
      limits: [
        { from: 1, color: 'orange' },
        { from: 14.4, color: 'red' },
      ],
      queries: [
        {
          expr: `(${badRatio(events, 'rate', '$__rate_interval', 'sum by (job)')}) / ${allowed}`,
          legend: '{{job}}',
        },
      ],
    }),
  ];
}

const zone = (name: string): string => rate('weir_slo_apdex_events_total', `zone="${name}"`);

/** What services count against objectives of their own, which know more than a status and a bucket's bound. */
const declared: readonly PanelDefinition[] = [
  timeSeries({
    title: 'Good events by objective',
    description:
      'Share of events that met an objective which a service declares with `metrics.slo`, and the share that it asks for.',
    unit: 'percentunit',
    noData: 'No service declares an objective in code',
    width: 12,
    max: 1,
    min: 'auto',
    colors: { '^objective': 'text' },
    queries: [
      {
        expr: `sum by (slo) (${rate('weir_slo_good_events_total')}) / (sum by (slo) (${rate('weir_slo_events_total')}) > 0)`,
        legend: '{{slo}}',
      },
      { expr: `max by (slo) (${select('weir_slo_objective_ratio')})`, legend: 'objective {{slo}}' },
    ],
  }),
  timeSeries({
    title: 'Apdex',
    description:
      'Satisfied events, and half of the tolerating ones, as a share of all: within the threshold, within four times of it. Below 0.7 users complain.',
    unit: 'short',
    noData: 'No service declares an objective in code',
    width: 12,
    max: 1,
    limits: [{ from: 0.7, color: 'orange' }],
    queries: [
      {
        expr: `(sum by (slo) (${zone('satisfied')}) + sum by (slo) (${zone('tolerating')}) / 2) / (sum by (slo) (${rate('weir_slo_apdex_events_total')}) > 0)`,
        legend: '{{slo}}',
      },
    ],
  }),
];

/** Do requests succeed, and soon enough? */
export const http = (slo: Slo): DashboardDefinition => ({
  uid: 'weir-http',
  title: 'Weir HTTP',
  description:
    'Do requests succeed, and soon enough? Rate, errors and duration by route, against the objectives.',
  from: 'now-30m',
  jobsOf: count,
  top: [
    stat({
      title: 'Requests',
      description: 'HTTP requests per second.',
      unit: 'reqps',
      noData: 'No requests',
      width: 6,
      base: 'text',
      queries: [{ expr: `sum(${rate(count)})`, legend: 'requests' }],
    }),
    stat({
      title: 'Errors',
      description: 'Share of requests answered with 5xx. Amber from 1 %, red from 5 %.',
      unit: 'percentunit',
      noData: 'No requests',
      width: 6,
      steps: [
        { from: 0.01, color: 'orange' },
        { from: 0.05, color: 'red' },
      ],
      queries: [{ expr: errorRatio, legend: 'errors' }],
    }),
    stat({
      title: 'Latency p99',
      description: '99 % of requests are answered within this time.',
      unit: 's',
      noData: 'No requests',
      width: 6,
      steps: [
        { from: 0.5, color: 'orange' },
        { from: 1, color: 'red' },
      ],
      queries: [{ expr: quantile(0.99, requests), legend: 'p99' }],
    }),
    stat({
      title: 'In flight',
      description:
        'Requests being served now. Throughput times latency; a climb at steady throughput is a queue.',
      unit: 'short',
      noData: 'No requests',
      width: 6,
      base: 'text',
      queries: [{ expr: `sum(${select('http_server_active_requests')})`, legend: 'in flight' }],
    }),
  ],
  rows: [
    { title: 'Objectives', panels: slo.objectives.flatMap(budget) },
    { title: 'Objectives declared in code', panels: declared },
    {
      title: 'Latency',
      panels: [
        heatMap({
          title: 'Latency distribution',
          description:
            'Requests a second in each latency bucket. Two bands mean two kinds of request, such as hits and misses; a dark band that rises is everyone waiting.',
          unit: 's',
          noData: noRequests,
          width: 14,
          height: 9,
          histogram: requests,
          exemplar: true,
        }),
        timeSeries({
          title: 'Percentiles',
          description: 'p50, p95 and p99 over all routes.',
          unit: 's',
          noData: noRequests,
          width: 10,
          height: 9,
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
      title: 'By route',
      panels: [
        timeSeries({
          title: 'Requests by route',
          description: 'Requests per second by route template.',
          unit: 'reqps',
          noData: noRequests,
          width: 8,
          queries: [{ expr: `sum by (http_route) (${rate(count)})`, legend: '{{http_route}}' }],
        }),
        timeSeries({
          title: 'Latency by route (p99)',
          description: 'The slowest hundredth of each route.',
          unit: 's',
          noData: noRequests,
          width: 8,
          log: true,
          traces: { 'span.http.route': 'http_route' },
          queries: [
            { expr: quantile(0.99, requests, ['http_route']), legend: '{{http_route}}', exemplar: true },
          ],
        }),
        timeSeries({
          title: 'Time by route',
          description:
            'Requests in progress on average, by route: where the service spends its time. What to make faster first.',
          unit: 'short',
          noData: noRequests,
          width: 8,
          stacked: true,
          traces: { 'span.http.route': 'http_route' },
          queries: [{ expr: `sum by (http_route) (${rate(`${requests}_sum`)})`, legend: '{{http_route}}' }],
        }),
      ],
    },
    {
      title: 'Responses',
      panels: [
        timeSeries({
          title: 'Responses by status',
          description: 'Responses per second by status code.',
          unit: 'reqps',
          noData: noRequests,
          width: 12,
          stacked: true,
          colors: { '^2': 'green', '^3': 'blue', '^4': 'orange', '^5': 'red' },
          queries: [
            {
              expr: `sum by (http_response_status_code) (${rate(count)})`,
              legend: '{{http_response_status_code}}',
            },
          ],
        }),
        timeSeries({
          title: 'Refused and failed by route',
          traces: { 'span.http.route': 'http_route' },
          description: 'Responses of 4xx and 5xx per second, by route and code.',
          unit: 'reqps',
          noData: 'No request was refused or failed in this range',
          width: 12,
          queries: [
            {
              expr: `sum by (http_route, http_response_status_code) (${rate(count, 'http_response_status_code=~"[45].."')})`,
              legend: '{{http_response_status_code}} {{http_route}}',
            },
          ],
        }),
        timeSeries({
          title: 'Response size (p95)',
          description: '95 % of response bodies are at most this large, by route.',
          unit: 'decbytes',
          noData: 'No response bodies in this range',
          width: 12,
          log: true,
          queries: [
            {
              expr: quantile(0.95, 'http_server_response_body_size_bytes', ['http_route']),
              legend: '{{http_route}}',
            },
          ],
        }),
        timeSeries({
          title: 'Request size (p95)',
          description:
            '95 % of request bodies are at most this large, by route, where clients send a length.',
          unit: 'decbytes',
          noData: 'No request bodies in this range',
          width: 12,
          log: true,
          queries: [
            {
              expr: quantile(0.95, 'http_server_request_body_size_bytes', ['http_route']),
              legend: '{{http_route}}',
            },
          ],
        }),
      ],
    },
  ],
});
