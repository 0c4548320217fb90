import type { DashboardDefinition } from '../grafana/dashboard.ts';
import { heatMap } from '../grafana/heat-map.ts';
import { quantile, rate, ratio, select } from '../grafana/query.ts';
import { stat } from '../grafana/stat.ts';
import { timeSeries } from '../grafana/time-series.ts';

const reads = 'weir_cache_reads_total';
const loads = 'weir_cache_load_duration_seconds';
const redis = 'weir_cache_redis_operation_duration_seconds';
const served = 'result=~"l1_hit|l2_hit|stale"';
const noReads = 'No cache reads in this range';
const noRedis = 'No Redis operations: the caches live in memory alone, or nothing was read';

function share(result: string): string {
  return `sum(${rate(reads, `result="${result}"`)}) / (sum(${rate(reads)}) > 0)`;
}

/** Does the cache do its work, and is its second tier well? */
export const cache: DashboardDefinition = {
  uid: 'weir-cache',
  title: 'Weir cache',
  description: 'Do the caches keep load away from the source, and is Redis behind them well?',
  from: 'now-30m',
  jobsOf: reads,
  top: [
    stat({
      title: 'Hit ratio',
      description: 'Share of reads answered from memory, Redis or a stale value.',
      unit: 'percentunit',
      noData: 'No reads',
      width: 5,
      base: 'red',
      steps: [
        { from: 0.5, color: 'orange' },
        { from: 0.8, color: 'green' },
      ],
      queries: [{ expr: ratio(`sum(${rate(reads, served)})`, `sum(${rate(reads)})`), legend: 'hits' }],
    }),
    stat({
      title: 'Loads saved',
      description:
        'Reads a second that the source did not have to serve, loads joined by several readers included.',
      unit: 'ops',
      noData: 'No reads',
      width: 5,
      base: 'text',
      queries: [{ expr: `sum(${rate(reads, 'result!="miss"')})`, legend: 'saved' }],
    }),
    stat({
      title: 'Failed loads',
      description: 'Share of loads that failed. Readers got an error, or a stale value where grace allows.',
      unit: 'percentunit',
      noData: 'No loads',
      width: 5,
      steps: [
        { from: 0.01, color: 'orange' },
        { from: 0.05, color: 'red' },
      ],
      queries: [
        {
          expr: ratio(
            `sum(${rate('weir_cache_loads_total', 'outcome="error"')})`,
            `sum(${rate('weir_cache_loads_total')})`,
          ),
          legend: 'failed',
        },
      ],
    }),
    stat({
      title: 'Redis p99',
      description:
        '99 % of the caches’ Redis operations end within this time. Amber from 10 ms, red from 50 ms.',
      unit: 's',
      noData: 'No Redis',
      width: 5,
      steps: [
        { from: 0.01, color: 'orange' },
        { from: 0.05, color: 'red' },
      ],
      queries: [{ expr: quantile(0.99, redis), legend: 'p99' }],
    }),
    stat({
      title: 'Entries in memory',
      description: 'Entries of the first tier, over all processes.',
      unit: 'short',
      noData: 'No cache',
      width: 4,
      base: 'text',
      queries: [{ expr: `sum(${select('weir_cache_entries')})`, legend: 'entries' }],
    }),
  ],
  rows: [
    {
      title: 'Reads',
      panels: [
        timeSeries({
          title: 'Reads by result',
          description: 'What each read met: memory, Redis, a stale value, a load under way, or nothing.',
          unit: 'ops',
          noData: noReads,
          width: 8,
          stacked: true,
          colors: {
            '^l1_hit$': 'green',
            '^l2_hit$': 'blue',
            '^stale$': 'yellow',
            '^coalesced$': 'purple',
            '^miss$': 'orange',
          },
          queries: [{ expr: `sum by (result) (${rate(reads)})`, legend: '{{result}}' }],
        }),
        timeSeries({
          title: 'Hits by tier',
          description:
            'Share of reads that memory, Redis and stale values answered. Memory falling while Redis rises means that processes restart or L1 is too small.',
          unit: 'percentunit',
          noData: noReads,
          width: 8,
          max: 1,
          colors: { memory: 'green', Redis: 'blue', stale: 'yellow' },
          queries: [
            { expr: share('l1_hit'), legend: 'memory' },
            { expr: share('l2_hit'), legend: 'Redis' },
            { expr: share('stale'), legend: 'stale' },
          ],
        }),
        timeSeries({
          title: 'Hit ratio by cache',
          description: 'Share of reads answered without a load, by cache.',
          unit: 'percentunit',
          noData: noReads,
          width: 8,
          max: 1,
          queries: [
            {
              expr: `sum by (cache) (${rate(reads, served)}) / (sum by (cache) (${rate(reads)}) > 0)`,
              legend: '{{cache}}',
            },
          ],
        }),
      ],
    },
    {
      title: 'Loads',
      panels: [
        timeSeries({
          title: 'Loads by outcome',
          description: 'Loads from the source per second.',
          unit: 'ops',
          noData: 'No loads in this range',
          width: 8,
          stacked: true,
          colors: { '^ok': 'blue', '^error': 'red' },
          queries: [
            {
              expr: `sum by (outcome, cache) (${rate('weir_cache_loads_total')})`,
              legend: '{{outcome}} {{cache}}',
            },
          ],
        }),
        timeSeries({
          title: 'Load time',
          description: 'How long the source takes: what a miss costs.',
          unit: 's',
          noData: 'No loads in this range',
          width: 8,
          log: true,
          calcs: ['lastNotNull', 'max'],
          colors: { p50: 'blue', p95: 'purple', p99: 'orange' },
          queries: [
            { expr: quantile(0.5, loads), legend: 'p50' },
            { expr: quantile(0.95, loads), legend: 'p95' },
            { expr: quantile(0.99, loads), legend: 'p99' },
          ],
        }),
        timeSeries({
          title: 'Reads that joined a load',
          description:
            'Reads a second that waited for a load already under way: stampedes that did not happen.',
          unit: 'ops',
          noData: noReads,
          width: 8,
          queries: [{ expr: `sum by (cache) (${rate(reads, 'result="coalesced"')})`, legend: '{{cache}}' }],
        }),
      ],
    },
    {
      title: 'Redis',
      panels: [
        timeSeries({
          title: 'Redis latency (p99)',
          description: 'The slowest hundredth of each operation, seen from the process.',
          unit: 's',
          noData: noRedis,
          width: 8,
          log: true,
          queries: [{ expr: quantile(0.99, redis, ['operation']), legend: '{{operation}}' }],
        }),
        timeSeries({
          title: 'Redis operations by outcome',
          description: 'Errors and time-outs open the breaker; reads then go on without the second tier.',
          unit: 'ops',
          noData: noRedis,
          width: 8,
          stacked: true,
          colors: { '^ok$': 'green', '^timeout$': 'orange', '^error$': 'red' },
          queries: [{ expr: `sum by (outcome) (${rate(`${redis}_count`)})`, legend: '{{outcome}}' }],
        }),
        timeSeries({
          title: 'Writes, deletes, evictions',
          description: 'Deletes are invalidations by the application; evictions are L1 making room.',
          unit: 'ops',
          noData: 'No writes in this range',
          width: 8,
          queries: [
            {
              expr: `sum by (operation) (${rate('weir_cache_writes_total')})`,
              legend: '{{operation}}',
            },
            { expr: `sum(${rate('weir_cache_evictions_total')})`, legend: 'eviction' },
          ],
        }),
      ],
    },
    {
      title: 'Distributions',
      panels: [
        heatMap({
          title: 'Load time distribution',
          description:
            'Loads a second in each bucket of duration: a band that rises is the source slowing down, a second band a kind of key that costs more.',
          unit: 's',
          noData: 'No loads in this range',
          width: 12,
          histogram: loads,
        }),
        heatMap({
          title: 'Redis time distribution',
          description: 'Redis operations a second in each bucket of duration, time-outs included.',
          unit: 's',
          noData: noRedis,
          width: 12,
          histogram: redis,
        }),
      ],
    },
  ],
};
