import type { DashboardDefinition } from '../grafana/dashboard.ts';
import { rate, select } from '../grafana/query.ts';
import { stat } from '../grafana/stat.ts';
import { timeSeries } from '../grafana/time-series.ts';
import { instanceLegend, loopUtilisation } from './saturation.ts';

const noRuns = 'No benchmark has been run';

/** Did it become slower, and was the server or the load the limit? */
export const benchmarks: DashboardDefinition = {
  uid: 'weir-benchmarks',
  title: 'Weir benchmark history',
  description: 'Did it become slower, and what limited it: the load offered, or the server under it?',
  from: 'now-6h',
  top: [
    stat({
      title: 'Throughput',
      description: 'Requests per second of each benchmark’s last finished run.',
      unit: 'reqps',
      noData: noRuns,
      width: 8,
      base: 'text',
      queries: [
        {
          expr: `sum by (benchmark) (${select('weir_bench_requests_per_second')})`,
          legend: '{{benchmark}}',
        },
      ],
    }),
    stat({
      title: 'Latency p99',
      description: 'p99 of each benchmark’s last finished run.',
      unit: 's',
      noData: noRuns,
      width: 8,
      base: 'text',
      queries: [
        {
          expr: `max by (benchmark) (${select('weir_bench_latency_seconds', 'quantile="0.99"')})`,
          legend: '{{benchmark}}',
        },
      ],
    }),
    stat({
      title: 'Failed requests',
      description: 'Share of requests of the last finished run that failed or were not answered 2xx.',
      unit: 'percentunit',
      noData: noRuns,
      width: 8,
      steps: [
        { from: 0.001, color: 'orange' },
        { from: 0.01, color: 'red' },
      ],
      queries: [
        { expr: `max by (benchmark) (${select('weir_bench_error_ratio')})`, legend: '{{benchmark}}' },
      ],
    }),
  ],
  rows: [
    {
      title: 'History',
      panels: [
        timeSeries({
          title: 'Throughput by run',
          description: 'A step is a new run. A step down that stays is a regression.',
          unit: 'reqps',
          noData: noRuns,
          width: 12,
          queries: [
            {
              expr: `sum by (benchmark) (${select('weir_bench_requests_per_second')})`,
              legend: '{{benchmark}}',
            },
          ],
        }),
        timeSeries({
          title: 'Latency by run',
          description: 'Quantiles of each run’s latency.',
          unit: 's',
          noData: noRuns,
          width: 12,
          queries: [
            {
              expr: `max by (benchmark, quantile) (${select('weir_bench_latency_seconds')})`,
              legend: '{{benchmark}} {{quantile}}',
            },
          ],
        }),
      ],
    },
    {
      title: 'The server under load',
      panels: [
        timeSeries({
          title: 'Requests served',
          description: 'What arrives at the servers, the benchmark’s load included.',
          unit: 'reqps',
          noData: 'No HTTP requests in this range',
          width: 8,
          queries: [
            {
              expr: `sum by (job, instance) (${rate('http_server_request_duration_seconds_count')})`,
              legend: instanceLegend,
            },
          ],
        }),
        timeSeries({
          title: 'Event-loop utilisation',
          description:
            'At 100 % during a run the server is the limit; well below it, the connections of the benchmark are.',
          unit: 'percentunit',
          noData: 'No Node.js runtime metrics in this range',
          width: 8,
          max: 1,
          queries: [{ expr: loopUtilisation(['job', 'instance']), legend: instanceLegend }],
        }),
        timeSeries({
          title: 'CPU',
          description: 'Cores used by each process during the runs.',
          unit: 'short',
          noData: 'No process metrics in this range',
          width: 8,
          queries: [
            {
              expr: `sum by (job, instance) (${rate('process_cpu_seconds_total')})`,
              legend: instanceLegend,
            },
          ],
        }),
      ],
    },
  ],
};
