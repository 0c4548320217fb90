import type { DashboardDefinition } from '../grafana/dashboard.ts';
import { heatMap } from '../grafana/heat-map.ts';
import { quantile, rate, ratio, select } from '../grafana/query.ts';
import { stat } from '../grafana/stat.ts';
import { timeSeries } from '../grafana/time-series.ts';
import { instanceLegend, loopUtilisation } from './vital-signs.ts';

const decisions = 'weir_ratelimit_decisions_total';
const redis = 'weir_ratelimit_redis_operation_duration_seconds';
const noDecisions = 'No limiter decisions in this range';
const admissions = 'weir_overload_requests_total';
const refused = 'admission="refused"';
const noGuard = 'No concurrency limiter and no load shedder';
const fallback = 'source=~"local|open|closed"';

/** Who is turned away, by what, and can the limiters be trusted just now? */
export const ratelimit: DashboardDefinition = {
  uid: 'weir-ratelimit',
  title: 'Weir rate limits',
  description: 'Who is turned away, by which policy, and do the limiters decide on full knowledge?',
  from: 'now-30m',
  jobsOf: decisions,
  top: [
    stat({
      title: 'Decisions',
      description: 'Decisions per second, over all limiters.',
      unit: 'reqps',
      noData: 'No decisions',
      width: 4,
      base: 'text',
      queries: [{ expr: `sum(${rate(decisions)})`, legend: 'decisions' }],
    }),
    stat({
      title: 'Denied',
      description: 'Share of decisions that turned a request away. Amber from 10 %, red from 50 %.',
      unit: 'percentunit',
      noData: 'No decisions',
      width: 4,
      steps: [
        { from: 0.1, color: 'orange' },
        { from: 0.5, color: 'red' },
      ],
      queries: [
        {
          expr: ratio(`sum(${rate(decisions, 'decision="denied"')})`, `sum(${rate(decisions)})`),
          legend: 'denied',
        },
      ],
    }),
    stat({
      title: 'On fallback',
      description:
        'Share of decisions made while Redis failed: limits hold per process, or not at all. Anything above zero deserves a look at Redis.',
      unit: 'percentunit',
      noData: 'No decisions',
      width: 4,
      steps: [
        { from: 0.001, color: 'orange' },
        { from: 0.1, color: 'red' },
      ],
      queries: [
        { expr: ratio(`sum(${rate(decisions, fallback)})`, `sum(${rate(decisions)})`), legend: 'fallback' },
      ],
    }),
    stat({
      title: 'Shadow denials',
      description:
        'Requests a second that passed only because a limiter or policy is in shadow mode: what enforcing it would turn away.',
      unit: 'reqps',
      noData: 'No limiter',
      width: 4,
      base: 'text',
      queries: [{ expr: `sum(${rate('weir_ratelimit_shadow_denials_total')})`, legend: 'shadow' }],
    }),
    stat({
      title: 'Refused for overload',
      description: 'Share of requests that concurrency limits and load shedding refused with 503.',
      unit: 'percentunit',
      noData: noGuard,
      width: 4,
      steps: [
        { from: 0.001, color: 'orange' },
        { from: 0.05, color: 'red' },
      ],
      queries: [
        { expr: ratio(`sum(${rate(admissions, refused)})`, `sum(${rate(admissions)})`), legend: 'refused' },
      ],
    }),
    stat({
      title: 'Keys in memory',
      description: 'Clients that the processes keep count of. Bounded; a sudden climb means spoofed keys.',
      unit: 'short',
      noData: 'No limiter',
      width: 4,
      base: 'text',
      queries: [{ expr: `sum(${select('weir_ratelimit_keys')})`, legend: 'keys' }],
    }),
  ],
  rows: [
    {
      title: 'Decisions',
      panels: [
        timeSeries({
          title: 'Decisions by limiter',
          description: 'Requests let pass and turned away, per second, by limiter.',
          unit: 'reqps',
          noData: noDecisions,
          width: 8,
          stacked: true,
          colors: { '^allowed': 'blue', '^denied': 'orange' },
          queries: [
            {
              expr: `sum by (decision, limiter) (${rate(decisions)})`,
              legend: '{{decision}} {{limiter}}',
            },
          ],
        }),
        timeSeries({
          title: 'Denials by policy',
          description: 'Which limit turned requests away. One request may break several policies.',
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
            'Who decided: this process (memory, lease, deny_cache), Redis, or the fallback while Redis fails (local, open, closed).',
          unit: 'reqps',
          noData: noDecisions,
          width: 8,
          stacked: true,
          colors: {
            '^(memory|lease|deny_cache)$': 'blue',
            '^redis$': 'green',
            '^local$': 'orange',
            '^(open|closed)$': 'red',
          },
          queries: [{ expr: `sum by (source) (${rate(decisions)})`, legend: '{{source}}' }],
        }),
        timeSeries({
          title: 'Shadow denials by limiter',
          description:
            'Requests a second that shadow mode let pass and enforcement would have denied. Enforce a policy once this shows only those that should go.',
          unit: 'reqps',
          noData: 'No limiter in this range',
          width: 12,
          queries: [
            {
              expr: `sum by (limiter) (${rate('weir_ratelimit_shadow_denials_total')})`,
              legend: '{{limiter}}',
            },
          ],
        }),
        timeSeries({
          title: 'Keys in memory by limiter',
          description:
            'Clients that the processes keep count of. Bounded; a sudden climb means spoofed keys.',
          unit: 'short',
          noData: 'No limiter in this range',
          width: 12,
          queries: [{ expr: `sum by (limiter) (${select('weir_ratelimit_keys')})`, legend: '{{limiter}}' }],
        }),
      ],
    },
    {
      title: 'Redis',
      panels: [
        timeSeries({
          title: 'Redis latency',
          description: 'What a decision waits for when it needs Redis.',
          unit: 's',
          noData: 'No Redis operations: the limiters count in memory alone',
          width: 8,
          log: true,
          calcs: ['lastNotNull', 'max'],
          colors: { p50: 'blue', p99: 'orange' },
          queries: [
            { expr: quantile(0.5, redis), legend: 'p50' },
            { expr: quantile(0.99, redis), legend: 'p99' },
          ],
        }),
        timeSeries({
          title: 'Redis operations by outcome',
          description: 'Errors and time-outs send decisions to the fallback.',
          unit: 'ops',
          noData: 'No Redis operations: the limiters count in memory alone',
          width: 8,
          stacked: true,
          colors: { '^ok$': 'green', '^timeout$': 'orange', '^error$': 'red' },
          queries: [{ expr: `sum by (outcome) (${rate(`${redis}_count`)})`, legend: '{{outcome}}' }],
        }),
        heatMap({
          title: 'Redis time distribution',
          description: 'Redis operations a second in each bucket of duration.',
          unit: 's',
          noData: 'No Redis operations: the limiters count in memory alone',
          width: 8,
          histogram: redis,
        }),
      ],
    },
    {
      title: 'Overload',
      panels: [
        timeSeries({
          title: 'Concurrency limit and use',
          description:
            'Requests that may run at once, that do, and that wait for a permit. Use that touches the limit is work that waits.',
          unit: 'short',
          noData: 'No concurrency limiter in this range',
          width: 8,
          colors: { '^limit': 'text', '^in flight': 'blue', '^waiting': 'red' },
          queries: [
            { expr: `sum by (guard) (${select('weir_overload_limit')})`, legend: 'limit {{guard}}' },
            { expr: `sum by (guard) (${select('weir_overload_in_flight')})`, legend: 'in flight {{guard}}' },
            { expr: `sum by (guard) (${select('weir_overload_queued')})`, legend: 'waiting {{guard}}' },
          ],
        }),
        timeSeries({
          title: 'Refused by guard',
          description: 'Requests a second that each concurrency limiter and load shedder refused.',
          unit: 'reqps',
          noData: noGuard,
          width: 8,
          queries: [{ expr: `sum by (guard) (${rate(admissions, refused)})`, legend: '{{guard}}' }],
        }),
        timeSeries({
          title: 'Shedding level',
          description:
            'How much of its tiers a load shedder refuses, in the worst process: a third is all background work, two thirds all ordinary requests as well.',
          unit: 'percentunit',
          noData: 'No load shedder in this range',
          width: 8,
          max: 1,
          limits: [
            { from: 0.34, color: 'orange' },
            { from: 0.67, color: 'red' },
          ],
          queries: [
            {
              expr: `max by (job, guard) (${select('weir_overload_shed_ratio')})`,
              legend: '{{job}} {{guard}}',
            },
          ],
        }),
        timeSeries({
          title: 'Event-loop utilisation',
          description:
            'Share of time the event loop runs code. Shedding should begin before it reaches 95 %.',
          unit: 'percentunit',
          noData: 'No Node.js runtime metrics in this range',
          width: 12,
          max: 1,
          limits: [
            { from: 0.8, color: 'orange' },
            { from: 0.95, color: 'red' },
          ],
          queries: [{ expr: loopUtilisation(['job', 'instance']), legend: instanceLegend }],
        }),
        timeSeries({
          title: 'Refused by status',
          description: '429 is a limit’s answer, 503 that of overload protection.',
          unit: 'reqps',
          noData: 'Nothing was refused in this range',
          width: 12,
          colors: { '^429$': 'orange', '^503$': 'red' },
          queries: [
            {
              expr: `sum by (http_response_status_code) (${rate('http_server_request_duration_seconds_count', 'http_response_status_code=~"429|503"')})`,
              legend: '{{http_response_status_code}}',
            },
          ],
        }),
      ],
    },
  ],
};
