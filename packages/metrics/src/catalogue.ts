/**
 * Every metric that the packages emit, as data. Instruments are built from it, docs/catalogue.md is generated from it, and dashboards use no other
 * names. A name, label or unit here is a published contract.
 */

/** The kind of a metric family, in Prometheus' terms. */
export type MetricType = 'counter' | 'gauge' | 'histogram';

/** A base unit; `''` is a plain count, `info` a gauge whose value is always 1. */
export type MetricUnit = 'seconds' | 'bytes' | 'info' | '';

/** How the values of a gauge in several processes are combined. */
export type GaugeAggregator = 'sum' | 'min' | 'max';

/** One metric family. The shape is shared with the service's own catalogue. */
export interface MetricDefinition {
  /** Full exposition name, with unit and `_total` suffix. */
  readonly name: string;
  readonly type: MetricType;
  readonly unit: MetricUnit;
  /** Label names in exposition order, without `le`. */
  readonly labels: readonly string[];
  /** One sentence without a full stop, as the HELP line carries it. */
  readonly help: string;
  /** Upper bounds in the metric's unit, ascending, without +Inf. Only histograms have them. */
  readonly buckets?: readonly number[];
  /**
   * Only gauges have one.
   * @defaultValue `max` for infos and for names that end in `_ratio`, `sum` for all others
   */
  readonly aggregator?: GaugeAggregator;
}

/** The meaning of a label, and all its values if they are a closed set. */
export interface LabelDefinition {
  readonly help: string;
  readonly values?: readonly string[];
}

/** The value of every label of the overflow series, which new label sets share once a family has reached its budget. */
export const overflowValue = '_OTHER';

/** `http_route` of a request that no route matched. */
export const unmatchedRoute = '_UNMATCHED';

const httpSeconds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10] as const;
const dbSeconds = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10] as const;
const loopSeconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5] as const;
const gcSeconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1] as const;
const redisSeconds = [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1] as const;
const bodyBytes = [100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000] as const;

type Options = Pick<MetricDefinition, 'buckets' | 'aggregator'> & { readonly unit?: MetricUnit };

function define(
  type: MetricType,
  name: string,
  labels: readonly string[],
  help: string,
  options: Options = {},
): MetricDefinition {
  const { unit = unitOf(name), ...rest } = options;
  return Object.freeze({ name, type, unit, labels, help, ...rest });
}

/** The base unit that a metric's name states. */
export function unitOf(name: string): MetricUnit {
  const base = name.replace(/_total$/, '');
  if (base.endsWith('_seconds')) return 'seconds';
  return base.endsWith('_bytes') ? 'bytes' : '';
}

const http = ['http_request_method', 'http_route', 'http_response_status_code'];
const pool = ['db_client_connection_pool_name'];

/** The catalogue, in the order of docs/catalogue.md. */
export const metricCatalogue: readonly MetricDefinition[] = Object.freeze([
  define(
    'histogram',
    'http_server_request_duration_seconds',
    http,
    'Time from the request head to the end of its response',
    { buckets: httpSeconds },
  ),
  define('gauge', 'http_server_active_requests', ['http_request_method'], 'Requests being served now'),
  define(
    'histogram',
    'http_server_request_body_size_bytes',
    http,
    'Size of request bodies as sent, by Content-Length',
    { buckets: bodyBytes },
  ),
  define(
    'histogram',
    'http_server_response_body_size_bytes',
    http,
    'Size of response bodies as sent, by Content-Length',
    { buckets: bodyBytes },
  ),

  define(
    'histogram',
    'nodejs_eventloop_delay_seconds',
    [],
    'Delay of the event loop, one sample per iteration',
    { buckets: loopSeconds },
  ),
  define(
    'counter',
    'nodejs_eventloop_time_seconds_total',
    ['nodejs_eventloop_state'],
    'Time the event loop spent active and idle',
  ),
  define(
    'gauge',
    'nodejs_active_resources',
    ['nodejs_resource_type'],
    'Handles and requests that keep the event loop alive',
  ),
  define('histogram', 'v8js_gc_duration_seconds', ['v8js_gc_type'], 'Pauses of the garbage collector', {
    buckets: gcSeconds,
  }),
  define('gauge', 'v8js_memory_heap_used_bytes', ['v8js_heap_space_name'], 'Heap memory in use'),
  define(
    'gauge',
    'v8js_memory_heap_limit_bytes',
    ['v8js_heap_space_name'],
    'Heap memory committed to the space',
  ),
  define('counter', 'process_cpu_seconds_total', [], 'User and system CPU time of the process'),
  define('gauge', 'process_resident_memory_bytes', [], 'Resident memory of the process'),
  define('gauge', 'process_open_fds', [], 'Open file descriptors'),
  define('gauge', 'process_max_fds', [], 'Limit of open file descriptors', { aggregator: 'max' }),
  define('gauge', 'process_start_time_seconds', [], 'Start of the process as a Unix time', {
    aggregator: 'max',
  }),
  define(
    'gauge',
    'target_info',
    ['service_name', 'service_version'],
    'The running service; the value is always 1',
    { unit: 'info' },
  ),

  define(
    'histogram',
    'db_client_operation_duration_seconds',
    ['db_system_name', 'db_query_summary', 'db_query_fingerprint'],
    'Time from sending a statement to the end of its result',
    { buckets: dbSeconds },
  ),
  define(
    'gauge',
    'db_client_connection_count',
    [...pool, 'db_client_connection_state'],
    'Open connections of the pool',
  ),
  define('gauge', 'db_client_connection_max', pool, 'Connections the pool may open'),
  define('gauge', 'db_client_connection_pending_requests', pool, 'Callers waiting for a connection now'),
  define(
    'histogram',
    'db_client_connection_wait_time_seconds',
    pool,
    'Time callers waited for a connection',
    { buckets: dbSeconds },
  ),
  define(
    'counter',
    'weir_db_slow_queries_total',
    ['db_system_name', 'db_query_summary'],
    'Statements that took longer than the slow-query threshold',
  ),
  define(
    'counter',
    'weir_db_failed_queries_total',
    ['db_system_name', 'db_query_summary'],
    'Statements and commands that ended with an error, could not be prepared, or were never sent because no connection was available',
  ),
  define(
    'counter',
    'weir_db_n_plus_one_total',
    ['http_route', 'db_query_summary'],
    'Requests that repeated one read from one line with different values',
  ),

  define('counter', 'weir_cache_reads_total', ['cache', 'result'], 'Reads of the cache by result'),
  define('counter', 'weir_cache_loads_total', ['cache', 'outcome'], 'Loads from the source behind the cache'),
  define(
    'histogram',
    'weir_cache_load_duration_seconds',
    ['cache'],
    'Time of loads from the source behind the cache',
    { buckets: dbSeconds },
  ),
  define(
    'histogram',
    'weir_cache_redis_operation_duration_seconds',
    ['cache', 'operation', 'outcome'],
    'Time of Redis operations of the cache',
    { buckets: redisSeconds },
  ),
  define('counter', 'weir_cache_writes_total', ['cache', 'operation'], 'Writes to the cache'),
  define('counter', 'weir_cache_evictions_total', ['cache'], 'Entries evicted to make room'),
  define('gauge', 'weir_cache_entries', ['cache'], 'Entries in memory now'),

  define(
    'counter',
    'weir_ratelimit_decisions_total',
    ['limiter', 'decision', 'source'],
    'Decisions of the limiter by the source of the decision',
  ),
  define('counter', 'weir_ratelimit_violations_total', ['limiter', 'policy'], 'Denials by exceeded policy'),
  define(
    'histogram',
    'weir_ratelimit_redis_operation_duration_seconds',
    ['limiter', 'operation', 'outcome'],
    'Time of Redis operations of the limiter',
    { buckets: redisSeconds },
  ),
  define('gauge', 'weir_ratelimit_keys', ['limiter'], 'Keys the limiter holds in memory now'),
  define(
    'counter',
    'weir_ratelimit_shadow_denials_total',
    ['limiter'],
    'Requests allowed only because the limiter or the exceeded policy is in shadow mode',
  ),

  define(
    'counter',
    'weir_overload_requests_total',
    ['guard', 'admission'],
    'Requests admitted or refused by concurrency limiters and load shedders',
  ),
  define('gauge', 'weir_overload_limit', ['guard'], 'Requests that may run at once'),
  define('gauge', 'weir_overload_in_flight', ['guard'], 'Requests that hold a permit now'),
  define('gauge', 'weir_overload_queued', ['guard'], 'Requests that wait for a permit now'),
  define(
    'gauge',
    'weir_overload_shed_ratio',
    ['guard'],
    'Level of the load shedder: 0 sheds nothing, 1 everything',
  ),

  define('gauge', 'weir_health_check_up', ['check'], 'Whether the last run of the readiness check passed', {
    aggregator: 'min',
  }),
  define('histogram', 'weir_health_check_duration_seconds', ['check'], 'Time of readiness checks', {
    buckets: dbSeconds,
  }),
  define('counter', 'weir_slo_events_total', ['slo'], 'Events that the objective counts'),
  define(
    'counter',
    'weir_slo_good_events_total',
    ['slo'],
    'Events that did not fail and took at most the threshold',
  ),
  define('counter', 'weir_slo_apdex_events_total', ['slo', 'zone'], 'Events by Apdex zone'),
  define('gauge', 'weir_slo_objective_ratio', ['slo'], 'Share of events that are to be good'),

  define(
    'counter',
    'weir_metrics_overflow_total',
    ['metric'],
    'Observations folded into the overflow series because the family was at its series budget',
  ),
  define(
    'counter',
    'weir_metrics_callback_errors_total',
    ['callback'],
    'Errors of callbacks such as `onSlowQuery` or `route`; they never reach the query or the request',
  ),
]);

/** Every label of the catalogue. */
export const labelCatalogue: Readonly<Record<string, LabelDefinition>> = Object.freeze({
  http_request_method: {
    help: 'Request method; unknown methods are `_OTHER`',
    values: [
      'GET',
      'HEAD',
      'POST',
      'PUT',
      'PATCH',
      'DELETE',
      'OPTIONS',
      'TRACE',
      'CONNECT',
      'QUERY',
      overflowValue,
    ],
  },
  http_route: {
    help: `Route template such as \`/products/:id\`, never a path; \`${unmatchedRoute}\` if no route matched`,
  },
  http_response_status_code: {
    help: 'Status code; `499` if the client disconnected before the response ended',
  },
  nodejs_eventloop_state: { help: 'State of the event loop', values: ['active', 'idle'] },
  nodejs_resource_type: { help: 'Type of the resource as Node names it, such as `TCPSocketWrap`' },
  v8js_gc_type: { help: 'Kind of collection', values: ['minor', 'major', 'incremental', 'weakcb'] },
  v8js_heap_space_name: { help: 'Heap space as V8 names it, such as `old_space`' },
  service_name: { help: '`service` of `createMetrics`' },
  service_version: { help: '`version` of `createMetrics`' },
  db_system_name: {
    help: 'Database product',
    values: ['postgresql', 'mysql', 'mariadb', 'sqlite', 'redis', 'mongodb'],
  },
  db_query_summary: { help: 'Operation and targets, such as `SELECT products`; holds no literal' },
  db_query_fingerprint: { help: 'Stable hash of the statement without its literals, 16 hexadecimal digits' },
  db_client_connection_pool_name: { help: '`name` given to `instrument`' },
  db_client_connection_state: { help: 'Whether the connection is in use', values: ['idle', 'used'] },
  cache: { help: 'Name of the cache' },
  limiter: { help: 'Name of the limiter' },
  result: { help: 'Source of the value', values: ['l1_hit', 'l2_hit', 'stale', 'coalesced', 'miss'] },
  outcome: { help: 'Outcome of the operation', values: ['ok', 'error', 'timeout'] },
  operation: { help: 'Operation, such as `get`, `set` or `delete`' },
  decision: { help: 'Decision of the limiter', values: ['allowed', 'denied'] },
  source: {
    help: 'Source of the decision',
    values: ['memory', 'redis', 'lease', 'deny_cache', 'local', 'open', 'closed'],
  },
  policy: { help: 'Name of the policy' },
  guard: { help: 'Name of the concurrency limiter or load shedder' },
  admission: { help: 'Whether the request may run', values: ['admitted', 'refused'] },
  check: { help: 'Name of the readiness check' },
  slo: { help: 'Name of the objective' },
  zone: { help: 'Apdex zone', values: ['satisfied', 'tolerating', 'frustrated'] },
  metric: { help: 'Name of the metric family at its budget' },
  callback: {
    help: 'Option that holds the callback',
    values: ['onSlowQuery', 'onNPlusOne', 'onPlan', 'route', 'onError'],
  },
});

/** How the values of a family in several processes are combined; counters and histograms always add up. */
export function aggregatorOf({ type, name, unit, aggregator }: MetricDefinition): GaugeAggregator {
  if (type !== 'gauge') return 'sum';
  return aggregator ?? (unit === 'info' || name.endsWith('_ratio') ? 'max' : 'sum');
}

const byName = new Map(metricCatalogue.map((definition) => [definition.name, definition]));

/** The definition of a metric of this package; throws on a name outside the catalogue. */
export function definitionOf(name: string): MetricDefinition {
  const definition = byName.get(name);
  if (definition === undefined) throw new RangeError(`\`${name}\` is not in the metric catalogue.`);
  return definition;
}
