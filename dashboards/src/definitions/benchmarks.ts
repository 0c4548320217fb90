import type { DashboardDefinition } from '../grafana/dashboard.ts';
import { rate, select } from '../grafana/query.ts';
import { stat } from '../grafana/stat.ts';
import { timeSeries } from '../grafana/time-series.ts';
import { instanceLegend, loopUtilisation } from './vital-signs.ts';

const noRuns = 'No benchmark has been run';

const verdict = (name: string): string => `${select('weir_bench_verdict', `verdict="${name}"`)} == 1`;
/** 0 to 4: unknown, within noise, better, mixed, worse. */
const verdicts = `max by (benchmark) (0 * (${verdict('unknown')}) or (${verdict('within_noise')}) or 2 * (${verdict('better')}) or 3 * (${verdict('mixed')}) or 4 * (${verdict('worse')}))`;

/** Did it become slower, and was the server or the load the limit? */
export const benchmarks: DashboardDefinition = {
  uid: 'weir-benchmarks',
  title: 'Weir benchmark history',
  description: 'Did it become slower, and what limited it: the load offered, or the server under it?',
  from: 'now-6h',
  top: [
    stat({
      title: 'Verdict',
      description:
        'The last run against the runs before it, by more than their noise or not. Mixed: better in one figure, worse in another. Unknown: too few runs to tell.',
      unit: 'short',
      noData: noRuns,
      width: 4,
      plain: true,
      base: 'text',
      words: {
        '0': { text: 'unknown', color: 'text' },
        '1': { text: 'within noise', color: 'green' },
        '2': { text: 'better', color: 'blue' },
        '3': { text: 'mixed', color: 'orange' },
        '4': { text: 'worse', color: 'red' },
      },
      queries: [{ expr: verdicts, legend: '{{benchmark}}' }],
    }),
    stat({
      title: 'Throughput',
      description: 'Requests per second of each benchmark’s last finished run.',
      unit: 'reqps',
      noData: noRuns,
      width: 4,
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
      width: 4,
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
      width: 4,
      steps: [
        { from: 0.001, color: 'orange' },
        { from: 0.01, color: 'red' },
      ],
      queries: [
        { expr: `max by (benchmark) (${select('weir_bench_error_ratio')})`, legend: '{{benchmark}}' },
      ],
    }),
    stat({
      title: 'Doubts',
      description:
        'Reasons not to believe the last finished run, such as a machine that was busy or a load that was not reached. The run’s page names them.',
      unit: 'short',
      noData: noRuns,
      width: 4,
      plain: true,
      decimals: 0,
      steps: [{ from: 1, color: 'orange' }],
      queries: [{ expr: `max by (benchmark) (${select('weir_bench_doubts')})`, legend: '{{benchmark}}' }],
    }),
    stat({
      title: 'Last run',
      description: 'Time since the last finished run. A benchmark that nobody runs judges nothing.',
      unit: 's',
      noData: noRuns,
      width: 4,
      plain: true,
      base: 'text',
      steps: [{ from: 7 * 86_400, color: 'orange' }],
      queries: [
        {
          expr: `time() - max by (benchmark) (${select('weir_bench_last_run_timestamp_seconds')})`,
          legend: '{{benchmark}}',
        },
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
          log: true,
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
      title: 'Judgement',
      panels: [
        timeSeries({
          title: 'Change against earlier runs',
          description:
            'Each figure of the last run against the median of the runs before it: 0 is no change. A step that stays is a change point; whether it is more than noise, the verdict says.',
          unit: 'percentunit',
          noData: 'Fewer than two runs',
          width: 8,
          min: 'auto',
          queries: [
            {
              expr: `max by (benchmark, figure) (${select('weir_bench_change_ratio')})`,
              legend: '{{benchmark}} {{figure}}',
            },
          ],
        }),
        timeSeries({
          title: 'Objectives against thresholds',
          description:
            'What the last run reached as a share of what its scenario asks: for “p99 < 250ms” below 100 % is good, for “achievedRate > 99%” above.',
          unit: 'percentunit',
          noData: 'No scenario names an objective',
          width: 8,
          limits: [{ from: 1, color: 'orange' }],
          queries: [
            {
              expr: `max by (benchmark, objective) (${select('weir_bench_objective_actual')}) / (max by (benchmark, objective) (${select('weir_bench_objective_threshold')}) > 0)`,
              legend: '{{benchmark}} {{objective}}',
            },
          ],
        }),
        timeSeries({
          title: 'Objectives met',
          description:
            '1 where the last run met the objective, 0 where it missed it; “passed” is all of them, without doubts and not worse than before.',
          unit: 'short',
          noData: noRuns,
          width: 8,
          max: 1,
          queries: [
            {
              expr: `min by (benchmark, objective) (${select('weir_bench_objective_met')})`,
              legend: '{{benchmark}} {{objective}}',
            },
            {
              expr: `min by (benchmark) (${select('weir_bench_passed')})`,
              legend: '{{benchmark}} passed',
            },
          ],
        }),
      ],
    },
    {
      title: 'The server under load',
      panels: [
        timeSeries({
          title: 'Load offered',
          description:
            'Requests a second that the running benchmark sends. Where it climbs and the requests served do not follow, the server is the limit.',
          unit: 'reqps',
          noData: 'No benchmark ran in this range',
          width: 6,
          queries: [
            {
              expr: `sum by (benchmark) (${select('weir_bench_current_requests_per_second')})`,
              legend: '{{benchmark}}',
            },
          ],
        }),
        timeSeries({
          title: 'Requests served',
          description: 'What arrives at the servers, the benchmark’s load included.',
          unit: 'reqps',
          noData: 'No HTTP requests in this range',
          width: 6,
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
          width: 6,
          max: 1,
          queries: [{ expr: loopUtilisation(['job', 'instance']), legend: instanceLegend }],
        }),
        timeSeries({
          title: 'CPU',
          description: 'Cores used by each process during the runs.',
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
      ],
    },
  ],
};
