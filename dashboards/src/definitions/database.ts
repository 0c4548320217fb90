import { barGauge } from '../grafana/bar-gauge.ts';
import type { DashboardDefinition } from '../grafana/dashboard.ts';
import { heatMap } from '../grafana/heat-map.ts';
import { quantile, rate, select } from '../grafana/query.ts';
import { stat } from '../grafana/stat.ts';
import { timeSeries } from '../grafana/time-series.ts';

const statements = 'db_client_operation_duration_seconds';
const used = select('db_client_connection_count', 'db_client_connection_state="used"');
const noStatements = 'No database statements in this range';
const byPool = 'db_client_connection_pool_name';

/** Which statements load the database, and does the pool suffice? */
export const database: DashboardDefinition = {
  uid: 'weir-database',
  title: 'Weir database',
  description: 'Which statements load the database, which are slow or repeated, and does the pool suffice?',
  from: 'now-30m',
  jobsOf: `${statements}_count`,
  top: [
    stat({
      title: 'Statements',
      description: 'Statements per second.',
      unit: 'ops',
      noData: 'No statements',
      width: 5,
      base: 'text',
      queries: [{ expr: `sum(${rate(`${statements}_count`)})`, legend: 'statements' }],
    }),
    stat({
      title: 'Statement p99',
      description: '99 % of statements end within this time. Amber from 100 ms, red from 1 s.',
      unit: 's',
      noData: 'No statements',
      width: 5,
      steps: [
        { from: 0.1, color: 'orange' },
        { from: 1, color: 'red' },
      ],
      queries: [{ expr: quantile(0.99, statements), legend: 'p99' }],
    }),
    stat({
      title: 'Slow statements',
      description: 'Statements above the slow-query threshold, per minute.',
      unit: 'cpm',
      noData: 'None seen',
      width: 5,
      steps: [
        { from: 0.1, color: 'orange' },
        { from: 10, color: 'red' },
      ],
      queries: [{ expr: `60 * sum(${rate('weir_db_slow_queries_total')})`, legend: 'slow' }],
    }),
    stat({
      title: 'N+1 requests',
      description: 'Requests that ran one statement from one place over and over, per minute.',
      unit: 'cpm',
      noData: 'None seen',
      width: 5,
      steps: [{ from: 0.1, color: 'orange' }],
      queries: [{ expr: `60 * sum(${rate('weir_db_n_plus_one_total')})`, legend: 'N+1' }],
    }),
    stat({
      title: 'Pool in use',
      description: 'Lent connections as a share of the fullest pool. Amber from 80 %; at 100 % callers wait.',
      unit: 'percentunit',
      noData: 'No pool',
      width: 4,
      steps: [
        { from: 0.8, color: 'orange' },
        { from: 1, color: 'red' },
      ],
      queries: [
        {
          expr: `max(sum by (job, instance, ${byPool}) (${used}) / sum by (job, instance, ${byPool}) (${select('db_client_connection_max')}))`,
          legend: 'in use',
        },
      ],
    }),
  ],
  rows: [
    {
      title: 'Statements',
      panels: [
        barGauge({
          title: 'Heaviest statements',
          description:
            'Statements in progress on average, the ten heaviest: time times frequency. What to index, cache or rewrite first.',
          unit: 'short',
          noData: noStatements,
          width: 8,
          height: 9,
          queries: [
            {
              expr: `sort_desc(topk(10, sum by (db_query_summary) (${rate(`${statements}_sum`)}) > 0))`,
              legend: '{{db_query_summary}}',
              instant: true,
            },
          ],
        }),
        timeSeries({
          title: 'Database time by statement',
          description: 'Statements in progress on average, by statement, over time.',
          unit: 'short',
          noData: noStatements,
          width: 8,
          height: 9,
          traces: { 'span.db.query.summary': 'db_query_summary' },
          queries: [
            {
              expr: `topk(10, sum by (db_query_summary) (${rate(`${statements}_sum`)}) > 0)`,
              legend: '{{db_query_summary}}',
            },
          ],
        }),
        timeSeries({
          title: 'Statements per second',
          description:
            'How often each statement runs. One that runs far more often than requests come is an N+1.',
          unit: 'ops',
          noData: noStatements,
          width: 8,
          height: 9,
          queries: [
            {
              expr: `topk(10, sum by (db_query_summary) (${rate(`${statements}_count`)}) > 0)`,
              legend: '{{db_query_summary}}',
            },
          ],
        }),
      ],
    },
    {
      title: 'Latency',
      panels: [
        heatMap({
          title: 'Statement time distribution',
          description: 'Statements a second in each bucket of duration.',
          unit: 's',
          noData: noStatements,
          width: 12,
          histogram: statements,
          exemplar: true,
        }),
        timeSeries({
          title: 'Statement latency (p99)',
          traces: { 'span.db.query.summary': 'db_query_summary' },
          description: 'The slowest hundredth of each statement, seen from the application.',
          unit: 's',
          noData: noStatements,
          width: 12,
          log: true,
          queries: [
            {
              expr: quantile(0.99, statements, ['db_query_summary']),
              legend: '{{db_query_summary}}',
              exemplar: true,
            },
          ],
        }),
      ],
    },
    {
      title: 'Flaws',
      panels: [
        timeSeries({
          title: 'Slow statements',
          description:
            'Statements above the threshold per minute, by statement. The log has the plan and an index hint.',
          unit: 'cpm',
          noData: 'No statement was slow',
          width: 8,
          traces: { 'span.db.query.summary': 'db_query_summary' },
          queries: [
            {
              expr: `60 * sum by (db_query_summary) (${rate('weir_db_slow_queries_total')})`,
              legend: '{{db_query_summary}}',
            },
          ],
        }),
        timeSeries({
          title: 'N+1 by route',
          description: 'Requests per minute that repeated one statement, by route and statement.',
          unit: 'cpm',
          noData: 'No request repeated a statement',
          width: 8,
          traces: { 'span.http.route': 'http_route' },
          queries: [
            {
              expr: `60 * sum by (http_route, db_query_summary) (${rate('weir_db_n_plus_one_total')})`,
              legend: '{{http_route}} · {{db_query_summary}}',
            },
          ],
        }),
        timeSeries({
          title: 'Failed statements',
          description:
            'Statements per minute that ended with an error, or were never sent for want of a connection.',
          unit: 'cpm',
          noData: 'None seen',
          width: 8,
          queries: [
            {
              expr: `60 * (sum(${rate('weir_db_failed_queries_total')}) or vector(0))`,
              legend: 'failed',
            },
          ],
        }),
      ],
    },
    {
      title: 'Pool',
      panels: [
        timeSeries({
          title: 'Connections',
          description: 'Connections lent and idle, and how many the pools may open.',
          unit: 'short',
          noData: 'No instrumented pool in this range',
          width: 8,
          colors: { '^used$': 'blue', '^idle$': 'green', '^size$': 'text' },
          queries: [
            {
              expr: `sum by (db_client_connection_state) (${select('db_client_connection_count')})`,
              legend: '{{db_client_connection_state}}',
            },
            { expr: `sum(${select('db_client_connection_max')})`, legend: 'size' },
          ],
        }),
        timeSeries({
          title: 'Waiting for a connection',
          description: 'Callers that wait because every connection is lent.',
          unit: 'short',
          noData: 'No instrumented pool in this range',
          width: 8,
          queries: [
            {
              expr: `sum by (${byPool}) (${select('db_client_connection_pending_requests')})`,
              legend: `{{${byPool}}}`,
            },
          ],
        }),
        timeSeries({
          title: 'Wait for a connection (p99)',
          description: 'How long the unluckiest hundredth waited for a connection.',
          unit: 's',
          noData: 'No instrumented pool in this range',
          width: 8,
          log: true,
          queries: [
            {
              expr: quantile(0.99, 'db_client_connection_wait_time_seconds', [byPool]),
              legend: `{{${byPool}}}`,
            },
          ],
        }),
      ],
    },
  ],
};
