import type { DashboardDefinition } from '../grafana/dashboard.ts';
import { heatMap } from '../grafana/heat-map.ts';
import { quantile, rate, select } from '../grafana/query.ts';
import { stat } from '../grafana/stat.ts';
import { timeSeries } from '../grafana/time-series.ts';
import { instanceLegend, loopUtilisation } from './vital-signs.ts';

const gc = 'v8js_gc_duration_seconds';
const delay = 'nodejs_eventloop_delay_seconds';
const noRuntime = 'No Node.js runtime metrics in this range';
const process = ['job', 'instance'];

/** Is Node.js itself the bottleneck: loop, garbage, memory, descriptors? */
export const runtime: DashboardDefinition = {
  uid: 'weir-runtime',
  title: 'Weir Node.js runtime',
  description:
    'Is the process itself the bottleneck? Utilisation and saturation of event loop, CPU, memory and descriptors.',
  from: 'now-30m',
  jobsOf: 'nodejs_eventloop_time_seconds_total',
  top: [
    stat({
      title: 'Busiest event loop',
      description: 'Utilisation of the busiest process. Amber from 80 %, red from 95 %.',
      unit: 'percentunit',
      noData: 'No runtime metrics',
      width: 6,
      steps: [
        { from: 0.8, color: 'orange' },
        { from: 0.95, color: 'red' },
      ],
      queries: [{ expr: `max(${loopUtilisation(process)})`, legend: 'utilisation' }],
    }),
    stat({
      title: 'Time in garbage collection',
      description:
        'Share of time that the worst process spends collecting garbage. Amber from 5 %, red from 15 %.',
      unit: 'percentunit',
      noData: 'No collection',
      width: 6,
      steps: [
        { from: 0.05, color: 'orange' },
        { from: 0.15, color: 'red' },
      ],
      queries: [{ expr: `max(sum by (job, instance) (${rate(`${gc}_sum`)}))`, legend: 'GC' }],
    }),
    stat({
      title: 'Largest process',
      description: 'Resident memory of the largest process.',
      unit: 'bytes',
      noData: 'No process metrics',
      width: 6,
      base: 'text',
      queries: [{ expr: `max(${select('process_resident_memory_bytes')})`, legend: 'memory' }],
    }),
    stat({
      title: 'Youngest process',
      description: 'Time since the latest start: a value that keeps falling back is a crash loop.',
      unit: 's',
      noData: 'No process metrics',
      width: 6,
      base: 'orange',
      steps: [{ from: 300, color: 'green' }],
      queries: [{ expr: `time() - max(${select('process_start_time_seconds')})`, legend: 'uptime' }],
    }),
  ],
  rows: [
    {
      title: 'Event loop',
      panels: [
        timeSeries({
          title: 'Utilisation',
          description: 'Share of time the event loop runs code, by process.',
          unit: 'percentunit',
          noData: noRuntime,
          width: 8,
          max: 1,
          limits: [
            { from: 0.8, color: 'orange' },
            { from: 0.95, color: 'red' },
          ],
          queries: [{ expr: loopUtilisation(process), legend: instanceLegend }],
        }),
        heatMap({
          title: 'Delay distribution',
          description:
            'Turns of the loop a second by how late they came. A band above 50 ms blocks every request.',
          unit: 's',
          noData: noRuntime,
          width: 8,
          histogram: delay,
        }),
        timeSeries({
          title: 'Delay (p99)',
          description: 'How much later than asked 99 % of timers ran, by process.',
          unit: 's',
          noData: noRuntime,
          width: 8,
          log: true,
          queries: [{ expr: quantile(0.99, delay, process), legend: instanceLegend }],
        }),
      ],
    },
    {
      title: 'Memory',
      panels: [
        timeSeries({
          title: 'Heap in use by space',
          description: 'Old space that climbs through every major collection is a leak.',
          unit: 'bytes',
          noData: noRuntime,
          width: 8,
          stacked: true,
          queries: [
            {
              expr: `sum by (v8js_heap_space_name) (${select('v8js_memory_heap_used_bytes')})`,
              legend: '{{v8js_heap_space_name}}',
            },
          ],
        }),
        timeSeries({
          title: 'Resident memory',
          description: 'Heap, buffers, code and stacks, by process.',
          unit: 'bytes',
          noData: 'No process metrics in this range',
          width: 8,
          queries: [
            {
              expr: `sum by (job, instance) (${select('process_resident_memory_bytes')})`,
              legend: instanceLegend,
            },
          ],
        }),
        timeSeries({
          title: 'Garbage collection',
          description: 'Share of time in collections, by kind.',
          unit: 'percentunit',
          noData: 'No collection in this range',
          width: 8,
          stacked: true,
          queries: [{ expr: `sum by (v8js_gc_type) (${rate(`${gc}_sum`)})`, legend: '{{v8js_gc_type}}' }],
        }),
      ],
    },
    {
      title: 'Process',
      panels: [
        timeSeries({
          title: 'CPU',
          description: 'Cores used by each process.',
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
        timeSeries({
          title: 'Open descriptors',
          description:
            'Files and sockets as a share of what the process may open. At 100 % connections are refused.',
          unit: 'percentunit',
          noData: 'No process metrics in this range',
          width: 8,
          queries: [
            {
              expr: `sum by (job, instance) (${select('process_open_fds')}) / sum by (job, instance) (${select('process_max_fds')})`,
              legend: instanceLegend,
            },
          ],
        }),
        timeSeries({
          title: 'Active resources',
          description:
            'Handles and requests that keep the loop alive, by type. A type that only climbs leaks.',
          unit: 'short',
          noData: noRuntime,
          width: 8,
          queries: [
            {
              expr: `sum by (nodejs_resource_type) (${select('nodejs_active_resources', 'nodejs_resource_type!=""')})`,
              legend: '{{nodejs_resource_type}}',
            },
          ],
        }),
      ],
    },
    {
      title: 'Readiness',
      panels: [
        timeSeries({
          title: 'Readiness checks',
          description:
            '1 while the check passes in every process of the job, 0 while it fails in one: that one should get no requests.',
          unit: 'short',
          noData: 'No service declares readiness checks, or nothing asks for them',
          width: 12,
          max: 1,
          queries: [
            { expr: `min by (job, check) (${select('weir_health_check_up')})`, legend: '{{job}} {{check}}' },
          ],
        }),
        timeSeries({
          title: 'Readiness check time (p99)',
          description: 'How long checks take. One that nears its time-out fails soon.',
          unit: 's',
          noData: 'No service declares readiness checks, or nothing asks for them',
          width: 12,
          log: true,
          queries: [
            {
              expr: quantile(0.99, 'weir_health_check_duration_seconds', ['job', 'check']),
              legend: '{{job}} {{check}}',
            },
          ],
        }),
      ],
    },
  ],
};
