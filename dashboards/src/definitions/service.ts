import type { DashboardDefinition } from '../grafana/dashboard.ts';
import { heatMap } from '../grafana/heat-map.ts';
import { quantile, rate, select } from '../grafana/query.ts';
import { stat } from '../grafana/stat.ts';
import { timeSeries } from '../grafana/time-series.ts';
import { instanceLegend } from './vital-signs.ts';

const queries = 'weir_query_duration_seconds';

/** Can what the other dashboards show be believed? */
export const service: DashboardDefinition = {
  uid: 'weir-service',
  title: 'Weir service',
  description: 'Can the other dashboards be believed? Scrapes, the store, and the answers to queries.',
  from: 'now-30m',
  top: [
    stat({
      title: 'Targets up',
      description: 'Targets whose last scrape succeeded.',
      unit: 'short',
      noData: 'No targets',
      width: 4,
      decimals: 0,
      base: 'red',
      steps: [{ from: 1, color: 'green' }],
      queries: [{ expr: `sum(${select('up')})`, legend: 'up' }],
    }),
    stat({
      title: 'Targets down',
      description: 'Targets whose last scrape failed.',
      unit: 'short',
      noData: 'No targets',
      width: 4,
      decimals: 0,
      steps: [{ from: 1, color: 'red' }],
      queries: [{ expr: `sum(1 - ${select('up')})`, legend: 'down' }],
    }),
    stat({
      title: 'Store',
      description: 'Whether the disk takes samples. While it refuses them, everything here stands still.',
      unit: 'short',
      noData: 'Not a Weir store',
      width: 4,
      plain: true,
      base: 'red',
      steps: [{ from: 1, color: 'green' }],
      words: { '0': { text: 'refuses', color: 'red' }, '1': { text: 'writable', color: 'green' } },
      queries: [{ expr: `min(${select('weir_store_writable')})`, legend: 'store' }],
    }),
    stat({
      title: 'Series',
      description: 'Series in the store. A steep climb means a label that is not bounded.',
      unit: 'short',
      noData: 'Not a Weir store',
      width: 4,
      base: 'text',
      queries: [{ expr: `sum(${select('weir_store_series')})`, legend: 'series' }],
    }),
    stat({
      title: 'Size on disk',
      description: 'Bytes that the store uses.',
      unit: 'bytes',
      noData: 'Not a Weir store',
      width: 4,
      base: 'text',
      queries: [{ expr: `sum(${select('weir_store_size_bytes')})`, legend: 'size' }],
    }),
    stat({
      title: 'Query p99',
      description: '99 % of queries are answered within this time. Amber from 1 s, red from 5 s.',
      unit: 's',
      noData: 'No queries',
      width: 4,
      steps: [
        { from: 1, color: 'orange' },
        { from: 5, color: 'red' },
      ],
      queries: [{ expr: quantile(0.99, queries), legend: 'p99' }],
    }),
  ],
  rows: [
    {
      title: 'Scrapes',
      panels: [
        timeSeries({
          title: 'Targets',
          description: '1 where the scrape succeeded, 0 where it failed.',
          unit: 'short',
          noData: 'No targets',
          width: 6,
          max: 1,
          queries: [{ expr: `min by (job, instance) (${select('up')})`, legend: instanceLegend }],
        }),
        timeSeries({
          title: 'Scrape duration',
          description: 'How long each target takes to answer. Near the time-out, scrapes begin to fail.',
          unit: 's',
          noData: 'No targets',
          width: 6,
          queries: [
            {
              expr: `max by (job, instance) (${select('scrape_duration_seconds')})`,
              legend: instanceLegend,
            },
          ],
        }),
        timeSeries({
          title: 'Samples per scrape',
          description: 'How many samples each target exposes.',
          unit: 'short',
          noData: 'No targets',
          width: 6,
          queries: [
            {
              expr: `sum by (job, instance) (${select('scrape_samples_scraped')})`,
              legend: instanceLegend,
            },
          ],
        }),
        timeSeries({
          title: 'New series per scrape',
          description:
            'Series that the scrape before did not show. A start has many; a target that never stops has a label without bounds.',
          unit: 'short',
          noData: 'No targets',
          width: 6,
          queries: [
            {
              expr: `sum by (job, instance) (${select('scrape_series_added')})`,
              legend: instanceLegend,
            },
          ],
        }),
      ],
    },
    {
      title: 'Store and queries',
      panels: [
        timeSeries({
          title: 'Samples taken in',
          description: 'Samples per second that the store takes in.',
          unit: 'cps',
          noData: 'Not a Weir store',
          width: 8,
          queries: [
            {
              expr: `sum by (job, instance) (${rate('weir_store_samples_total')})`,
              legend: instanceLegend,
            },
          ],
        }),
        timeSeries({
          title: 'Queries by endpoint',
          description: 'Queries answered per second.',
          unit: 'reqps',
          noData: 'No queries in this range',
          width: 8,
          stacked: true,
          queries: [{ expr: `sum by (endpoint) (${rate(`${queries}_count`)})`, legend: '{{endpoint}}' }],
        }),
        timeSeries({
          title: 'Query time (p95)',
          description: '95 % of queries are answered within this time, by endpoint.',
          unit: 's',
          noData: 'No queries in this range',
          width: 8,
          queries: [{ expr: quantile(0.95, queries, ['endpoint']), legend: '{{endpoint}}' }],
        }),
        heatMap({
          title: 'Query time distribution',
          description:
            'Queries a second in each bucket of duration: a high band is a panel that asks too much.',
          unit: 's',
          noData: 'No queries in this range',
          width: 12,
          histogram: queries,
        }),
        timeSeries({
          title: 'Queries under way',
          description: 'Queries that wait or are evaluated. Beyond the bound, further ones are refused.',
          unit: 'short',
          noData: 'Not a Weir store',
          width: 12,
          queries: [
            { expr: `sum by (job, instance) (${select('weir_query_active')})`, legend: instanceLegend },
          ],
        }),
      ],
    },
    {
      title: 'Losses and deliveries',
      panels: [
        timeSeries({
          title: 'Samples refused',
          description:
            'Samples per minute that the store refuses for their time. Out of bounds is too old or in the future: compare the clocks of the sender and of the service.',
          unit: 'cpm',
          noData: 'Not a Weir store',
          width: 8,
          queries: [
            {
              expr: `60 * sum by (instance, reason) (${rate('weir_store_samples_refused_total')})`,
              legend: '{{reason}} {{instance}}',
            },
          ],
        }),
        timeSeries({
          title: 'Remote write',
          description:
            'Samples per second that receivers took, refused for good, or that were dropped unsent. Anything but sent is lost to a receiver.',
          unit: 'cps',
          noData: 'Not a Weir store',
          width: 8,
          queries: [
            {
              expr: `sum by (instance, outcome) (${rate('weir_remote_write_samples_total')})`,
              legend: '{{outcome}} {{instance}}',
            },
          ],
        }),
        timeSeries({
          title: 'Remote write backlog',
          description:
            'Bytes that wait for receivers. It grows while one is away; at store.backlogSize the oldest is dropped.',
          unit: 'bytes',
          noData: 'Not a Weir store',
          width: 8,
          queries: [
            {
              expr: `sum by (job, instance) (${select('weir_remote_write_backlog_bytes')})`,
              legend: instanceLegend,
            },
          ],
        }),
        timeSeries({
          title: 'Alert notifications',
          description: 'Alerts per minute that notifications carried to the webhook, or failed to carry.',
          unit: 'cpm',
          noData: 'Not a Weir store',
          width: 12,
          queries: [
            {
              expr: `60 * sum by (instance, outcome) (${rate('weir_alert_notifications_total')})`,
              legend: '{{outcome}} {{instance}}',
            },
          ],
        }),
        timeSeries({
          title: 'Alerts to be told',
          description:
            'Alerts that the webhook has yet to be told of. Anything that stays above zero is a webhook that does not answer.',
          unit: 'short',
          noData: 'Not a Weir store',
          width: 12,
          queries: [
            {
              expr: `sum by (job, instance) (${select('weir_alert_notifications_pending')})`,
              legend: instanceLegend,
            },
          ],
        }),
      ],
    },
    {
      title: 'Engine and registrations',
      panels: [
        timeSeries({
          title: 'Engine threads',
          description:
            'Share of time that each thread of the engine is busy. At 100 % answers wait: shorten ranges, record what many ask.',
          unit: 'percentunit',
          noData: 'Not a Weir store',
          width: 8,
          max: 1,
          limits: [
            { from: 0.8, color: 'orange' },
            { from: 0.95, color: 'red' },
          ],
          queries: [
            {
              expr: `max by (instance, thread) (${select('weir_engine_busy_ratio')})`,
              legend: '{{thread}} {{instance}}',
            },
          ],
        }),
        timeSeries({
          title: 'Registered targets',
          description:
            'Targets that announced themselves and have not expired. A cliff is a fleet that stopped repeating itself.',
          unit: 'short',
          noData: 'Not a Weir store',
          width: 8,
          queries: [
            { expr: `sum by (job, instance) (${select('weir_targets_registered')})`, legend: instanceLegend },
          ],
        }),
        timeSeries({
          title: 'Registrations by outcome',
          description: 'Announcements per minute: registered, renewed, or why they were refused.',
          unit: 'cpm',
          noData: 'No target announced itself in this range',
          width: 8,
          queries: [
            {
              expr: `60 * sum by (outcome) (${rate('weir_target_registrations_total')})`,
              legend: '{{outcome}}',
            },
          ],
        }),
      ],
    },
  ],
};
