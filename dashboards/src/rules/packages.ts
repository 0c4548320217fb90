import { alert, type RuleGroup, refusedRatio, saturation, unlessSaturated } from './rule.ts';

const reads = 'weir_cache_reads_total';
const hitRatio = 'job_cache:weir_cache_hits:ratio_rate10m';
const cacheRedis = 'weir_cache_redis_operation_duration_seconds_count';
const decisions = 'weir_ratelimit_decisions_total';
const admissions = 'weir_overload_requests_total';
const pool = 'job, instance, db_client_connection_pool_name';

const cache: RuleGroup = {
  name: 'weir-cache',
  interval: '30s',
  rules: [
    {
      record: hitRatio,
      expr: `sum by (job, cache) (rate(${reads}{result=~"l1_hit|l2_hit|stale"}[10m])) / (sum by (job, cache) (rate(${reads}[10m])) > 0)`,
    },
    alert({
      name: 'WeirCacheHitRatioCollapsed',
      severity: 'ticket',
      expr: `${hitRatio} < 0.6 * avg_over_time(${hitRatio}[1d] offset 30m) and on (job, cache) sum by (job, cache) (rate(${reads}[10m])) > 1`,
      for: '10m',
      summary:
        'Cache {{ $labels.cache }} of {{ $labels.job }} answers {{ $value | humanizePercentage }} of reads',
      description:
        'The hit ratio fell below 60 % of the last day’s. The source now bears the difference. Look at “Hits by tier” for the tier that fell: Redis lost its data, a deploy emptied memory, keys changed, or invalidations surge.',
    }),
    alert({
      name: 'WeirCacheRedisFailing',
      severity: 'ticket',
      expr: `sum by (job, cache) (rate(${cacheRedis}{outcome!="ok"}[5m])) / (sum by (job, cache) (rate(${cacheRedis}[5m])) > 0) > 0.05 ${unlessSaturated}`,
      for: '5m',
      summary: '{{ $value | humanizePercentage }} of Redis operations of cache {{ $labels.cache }} fail',
      description:
        'The breaker of the cache opens and it goes on without its second tier; every process loads for itself. Check that Redis answers (redis-cli ping), its memory and its slow log, and the network between.',
    }),
    alert({
      name: 'WeirCacheLoadsFailing',
      severity: 'ticket',
      expr: `sum by (job, cache) (rate(weir_cache_loads_total{outcome="error"}[5m])) / (sum by (job, cache) (rate(weir_cache_loads_total[5m])) > 0) > 0.05`,
      for: '5m',
      summary: '{{ $value | humanizePercentage }} of loads of cache {{ $labels.cache }} fail',
      description:
        'Readers get errors, or stale values where grace allows. The source behind the cache fails: look at the database dashboard and the log of {{ $labels.job }}.',
    }),
  ],
};

const ratelimit: RuleGroup = {
  name: 'weir-ratelimit',
  interval: '30s',
  rules: [
    alert({
      name: 'WeirLimiterOnFallback',
      severity: 'ticket',
      expr: `sum by (job, limiter) (rate(${decisions}{source=~"local|open|closed"}[5m])) / (sum by (job, limiter) (rate(${decisions}[5m])) > 0) > 0.01 ${unlessSaturated}`,
      for: '5m',
      summary: 'Limiter {{ $labels.limiter }} decides {{ $value | humanizePercentage }} without Redis',
      description:
        'Redis fails or is too slow for the limiter: limits hold for each process alone, or not at all, as `onStoreError` says. Check Redis and the limiter’s Redis latency.',
    }),
    alert({
      name: 'WeirLimiterDenying',
      severity: 'ticket',
      expr: `sum by (job, limiter) (rate(${decisions}{decision="denied"}[10m])) / (sum by (job, limiter) (rate(${decisions}[10m])) > 0.1) > 0.5`,
      for: '10m',
      summary:
        'Limiter {{ $labels.limiter }} of {{ $labels.job }} turns away {{ $value | humanizePercentage }} of requests',
      description:
        'More are denied than let pass. “Denials by policy” tells which limit: one client out of bounds needs nothing, a deploy that lowered a limit or a retry storm does.',
    }),
    {
      record: refusedRatio,
      expr: `sum by (job, guard) (rate(${admissions}{admission="refused"}[5m])) / (sum by (job, guard) (rate(${admissions}[5m])) > 0)`,
    },
    alert({
      name: 'WeirLoadShedding',
      severity: 'page',
      expr: `${refusedRatio} > ${saturation.refusedRatio}`,
      for: '5m',
      summary:
        'Guard {{ $labels.guard }} of {{ $labels.job }} refuses {{ $value | humanizePercentage }} of requests',
      description:
        'The service has more work than it can do in good time and answers 503 to the least important. Add instances now; then look at “Concurrency limit and use” and the runtime dashboard for what slows it.',
    }),
  ],
};

const database: RuleGroup = {
  name: 'weir-database',
  interval: '30s',
  rules: [
    alert({
      name: 'WeirPoolExhausted',
      severity: 'page',
      expr: `min_over_time(db_client_connection_pending_requests[5m]) > 0 and on (${pool}) sum by (${pool}) (db_client_connection_count{db_client_connection_state="used"}) >= on (${pool}) db_client_connection_max`,
      for: '1m',
      summary:
        '{{ $value }} callers of {{ $labels.instance }} wait for a connection of pool {{ $labels.db_client_connection_pool_name }}',
      description:
        'Every connection is lent and has been for five minutes. Find the statement that holds them under “Heaviest statements”; a transaction left open shows in pg_stat_activity as “idle in transaction”.',
    }),
    alert({
      name: 'WeirNPlusOne',
      severity: 'info',
      expr: 'sum by (job, http_route, db_query_summary) (rate(weir_db_n_plus_one_total[10m])) > 0',
      for: '5m',
      summary:
        '{{ $labels.http_route }} of {{ $labels.job }} runs “{{ $labels.db_query_summary }}” over and over',
      description:
        'Requests of this route run one statement once for every row of another. Load the rows with one statement (IN, JOIN) or through `loadMany` of the cache.',
    }),
    alert({
      name: 'WeirSlowStatements',
      severity: 'ticket',
      expr: `60 * sum by (job, db_query_summary) (rate(weir_db_slow_queries_total[10m])) > 6 ${unlessSaturated}`,
      for: '10m',
      summary:
        '“{{ $labels.db_query_summary }}” of {{ $labels.job }} is slow {{ $value | humanize }} times a minute',
      description:
        'The slow-query log of the service has its plan and, where one would help, the index. Look at “Statement latency” for when it began.',
    }),
  ],
};

/** Alerts on what the packages emit, one group a package. */
export const packages: readonly RuleGroup[] = [cache, ratelimit, database];
