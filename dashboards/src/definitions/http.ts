import type { DashboardDefinition } from '../grafana/dashboard.ts';
import { heatMap } from '../grafana/heat-map.ts';
import { quantile, rate, ratio, select } from '../grafana/query.ts';
import { stat } from '../grafana/stat.ts';
import { timeSeries } from '../grafana/time-series.ts';

const requests = 'http_server_request_duration_seconds';
const count = `${requests}_count`;
const failed = 'http_response_status_code=~"5.."';
/** Availability objective. The alerts in rules/ hold the same one. */
const objective = 0.999;
/** Latency objective: this share of requests within this bucket. */
const fast = { share: 0.99, withinSeconds: '0.25' };
const noRequests = 'No HTTP requests in this range';
const errorRatio = ratio(`sum(${rate(count, failed)})`, `sum(${rate(count)})`);
const fastRatio = `sum(${rate(`${requests}_bucket`, `le="${fast.withinSeconds}"`)}) / (sum(${rate(count)}) > 0)`;

/** Do requests succeed, and soon enough? */
export const http: DashboardDefinition = {
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
      width: 4,
      base: 'text',
      queries: [{ expr: `sum(${rate(count)})`, legend: 'requests' }],
    }),
    stat({
      title: 'Errors',
      description: 'Share of requests answered with 5xx. Amber from 1 %, red from 5 %.',
      unit: 'percentunit',
      noData: 'No requests',
      width: 4,
      steps: [
        { from: 0.01, color: 'orange' },
        { from: 0.05, color: 'red' },
      ],
      queries: [{ expr: errorRatio, legend: 'errors' }],
    }),
    stat({
      title: 'Burn rate',
      description:
        'How fast the error budget of a 99.9 % objective is being spent: 1 spends it exactly within the objective’s period, 14.4 within two days of a month and pages.',
      unit: 'short',
      noData: 'No requests',
      width: 4,
      steps: [
        { from: 1, color: 'orange' },
        { from: 14.4, color: 'red' },
      ],
      queries: [{ expr: `(${errorRatio}) / (1 - ${objective})`, legend: 'burn rate' }],
    }),
    stat({
      title: 'Fast enough',
      description: 'Share of requests answered within 250 ms. The objective is 99 %.',
      unit: 'percentunit',
      noData: 'No requests',
      width: 4,
      base: 'red',
      steps: [
        { from: 0.95, color: 'orange' },
        { from: fast.share, color: 'green' },
      ],
      queries: [{ expr: fastRatio, legend: 'within 250 ms' }],
    }),
    stat({
      title: 'Latency p99',
      description: '99 % of requests are answered within this time.',
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
      title: 'In flight',
      description:
        'Requests being served now. Throughput times latency; a climb at steady throughput is a queue.',
      unit: 'short',
      noData: 'No requests',
      width: 4,
      base: 'text',
      queries: [{ expr: `sum(${select('http_server_active_requests')})`, legend: 'in flight' }],
    }),
  ],
  rows: [
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
        }),
        timeSeries({
          title: 'Percentiles',
          description: 'p50, p95 and p99 over all routes.',
          unit: 's',
          noData: noRequests,
          width: 10,
          height: 9,
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
          queries: [{ expr: quantile(0.99, requests, ['http_route']), legend: '{{http_route}}' }],
        }),
        timeSeries({
          title: 'Time by route',
          description:
            'Requests in progress on average, by route: where the service spends its time. What to make faster first.',
          unit: 'short',
          noData: noRequests,
          width: 8,
          stacked: true,
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
          width: 8,
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
          description: 'Responses of 4xx and 5xx per second, by route and code.',
          unit: 'reqps',
          noData: 'No request was refused or failed in this range',
          width: 8,
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
          unit: 'bytes',
          noData: 'No response bodies in this range',
          width: 8,
          queries: [
            {
              expr: quantile(0.95, 'http_server_response_body_size_bytes', ['http_route']),
              legend: '{{http_route}}',
            },
          ],
        }),
      ],
    },
  ],
};
