/**
 * Pushes metrics by OTLP over HTTP, for processes that nothing can scrape. Numbers are cumulative: a lost push loses a point, never a count.
 * Nothing is therefore queued or retried, and a dead collector costs one bounded request per interval.
 */
import type { Metrics } from '../create-metrics.ts';
import { checkMilliseconds, metricsError } from '../errors.ts';
import { type FamilySnapshot, takeSnapshot } from './snapshot.ts';

/** Options of {@link pushMetrics}. For an option that is absent the standard OTEL_* variables apply. */
export interface PushOptions {
  readonly metrics: Metrics;
  /**
   * The collector's endpoint, such as `http://collector:4318/v1/metrics`.
   * @defaultValue OTEL_EXPORTER_OTLP_METRICS_ENDPOINT, else OTEL_EXPORTER_OTLP_ENDPOINT with `/v1/metrics`
   */
  readonly url?: string;
  /** Sent in addition to those of OTEL_EXPORTER_OTLP_HEADERS and OTEL_EXPORTER_OTLP_METRICS_HEADERS, and override them. */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Time from one push to the next, in whole milliseconds from 1 to 2,147,483,647.
   * @defaultValue OTEL_METRIC_EXPORT_INTERVAL, else 15,000
   */
  readonly intervalMs?: number;
  /**
   * Longest time of one push, in whole milliseconds from 1 to 2,147,483,647.
   * @defaultValue OTEL_EXPORTER_OTLP_METRICS_TIMEOUT, else OTEL_EXPORTER_OTLP_TIMEOUT, else 5,000
   */
  readonly timeoutMs?: number;
  /**
   * Receives the error of each failed push. Without it failures are silent. Its own errors never reach the push; they count in
   * `weir_metrics_callback_errors_total`.
   */
  readonly onError?: (error: unknown) => void;
}

/** A running push. */
export interface MetricsPush {
  /** Pushes now; `false` if that failed. Never rejects, and takes at most `timeoutMs`. */
  push(): Promise<boolean>;
  /** Pushes a last time and stops; `false` if that failed. Never rejects. */
  close(): Promise<boolean>;
}

/** Starts pushing. Its timer does not keep the process alive. Throws ERR_WEIR_METRICS_INVALID_OPTION for an invalid option or variable. */
export function pushMetrics(options: PushOptions): MetricsPush {
  const { metrics, onError } = options;
  const { env } = process;
  const intervalMs = options.intervalMs ?? millisecondsOf(env, 'OTEL_METRIC_EXPORT_INTERVAL') ?? 15_000;
  const timeouts = ['OTEL_EXPORTER_OTLP_METRICS_TIMEOUT', 'OTEL_EXPORTER_OTLP_TIMEOUT'];
  const timeoutMs = options.timeoutMs ?? millisecondsOf(env, ...timeouts) ?? 5_000;
  const url = checkedUrl(options.url ?? endpointOf(env));
  const headers = checkedHeaders(options.headers ?? {}, env);
  checkMilliseconds('intervalMs', intervalMs);
  checkMilliseconds('timeoutMs', timeoutMs);
  const startMs = performance.timeOrigin;
  let running: Promise<boolean> | undefined;
  const send = async (): Promise<boolean> => {
    try {
      const body = encodeOtlp(takeSnapshot(metrics.registry), { startMs, endMs: Date.now() });
      const signal = AbortSignal.timeout(timeoutMs);
      const response = await fetch(url, { method: 'POST', headers, body, signal });
      await response.arrayBuffer();
      if (!response.ok) throw new Error(`The collector answered ${response.status}.`);
      return true;
    } catch (error) {
      metrics.registry.callbacks.call('onError', onError, error);
      return false;
    } finally {
      running = undefined;
    }
  };
  // Pushes never overlap: a slow one replaces those that would have begun meanwhile.
  const push = (): Promise<boolean> => {
    running ??= send();
    return running;
  };
  const timer = setInterval(() => void push(), intervalMs);
  timer.unref();
  return Object.freeze({
    push,
    close: async () => {
      clearInterval(timer);
      await running;
      return push();
    },
  });
}

function checkedUrl(url: string | undefined): string {
  if (url === undefined || !URL.canParse(url) || !/^https?:/.test(new URL(url).protocol))
    throw metricsError('ERR_WEIR_METRICS_INVALID_OPTION', 'url', 'the URL of an OTLP/HTTP endpoint', url);
  return url;
}

function checkedHeaders(given: Readonly<Record<string, string>>, env: Environment): Headers {
  const headers = headersOf(env);
  for (const [name, value] of Object.entries(given)) {
    try {
      headers.set(name, value);
    } catch {
      throw metricsError(
        'ERR_WEIR_METRICS_INVALID_OPTION',
        'headers',
        'names and values of HTTP headers',
        name,
      );
    }
  }
  headers.set('content-type', 'application/json');
  return headers;
}

type Environment = Readonly<Record<string, string | undefined>>;

// OTEL_EXPORTER_OTLP_METRICS_ENDPOINT is used unchanged, OTEL_EXPORTER_OTLP_ENDPOINT with `/v1/metrics`.
function endpointOf(env: Environment): string | undefined {
  const own = env.OTEL_EXPORTER_OTLP_METRICS_ENDPOINT?.trim();
  if (own !== undefined && own !== '') return own;
  const common = env.OTEL_EXPORTER_OTLP_ENDPOINT?.trim();
  if (common === undefined || common === '') return undefined;
  if (!URL.canParse(common)) return common;
  const url = new URL(common);
  url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/metrics`;
  return url.href;
}

/**
 * The headers of OTEL_EXPORTER_OTLP_HEADERS, overridden by those of OTEL_EXPORTER_OTLP_METRICS_HEADERS: `name=value` separated by commas, values
 * percent-encoded. An entry that is no header is left out with a warning, which does not contain the value.
 */
function headersOf(env: Environment): Headers {
  const headers = new Headers();
  for (const variable of ['OTEL_EXPORTER_OTLP_HEADERS', 'OTEL_EXPORTER_OTLP_METRICS_HEADERS']) {
    for (const entry of (env[variable] ?? '').split(',')) {
      if (entry.trim() === '') continue;
      const equals = entry.indexOf('=');
      try {
        headers.set(decode(entry.slice(0, Math.max(0, equals))), decode(entry.slice(equals + 1)));
      } catch {
        const name = entry.slice(0, Math.max(0, equals)).trim();
        process.emitWarning(
          `${variable} has an entry that is no header${name === '' ? '' : `: \`${name}\``}. Write \`name=value\`, separated by commas.`,
          'MetricsWarning',
        );
      }
    }
  }
  return headers;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.trim());
  } catch {
    // A per cent sign that encodes nothing.
    return text.trim();
  }
}

// Milliseconds of the first variable that is set; `undefined` if none is.
function millisecondsOf(env: Environment, ...variables: readonly string[]): number | undefined {
  for (const variable of variables) {
    const text = env[variable]?.trim();
    if (text === undefined || text === '') continue;
    const value = Number(text);
    checkMilliseconds(variable, value);
    return value;
  }
  return undefined;
}

/** When counting began and when the numbers were read, as Unix milliseconds. */
interface Period {
  readonly startMs: number;
  readonly endMs: number;
}

/** An OTLP metrics request in JSON (opentelemetry-proto 1.x). `target_info` becomes the resource's attributes. */
function encodeOtlp(snapshot: readonly FamilySnapshot[], period: Period): string {
  const info = snapshot.find(({ definition }) => definition.name === 'target_info');
  const resource = info?.definition.labels.map((label) => label.replace('_', '.')) ?? [];
  const metrics = snapshot
    .filter((family) => family !== info && family.rows.length > 0)
    .map((family) => encodeFamily(family, period));
  return JSON.stringify({
    resourceMetrics: [
      {
        resource: { attributes: attributes(resource, info?.rows[0]?.labels ?? []) },
        scopeMetrics: [{ scope: { name: '@weir/metrics' }, metrics }],
      },
    ],
  });
}

const cumulative = 2;

function encodeFamily({ definition, rows }: FamilySnapshot, period: Period): object {
  const { name, help, type, unit, labels, buckets = [] } = definition;
  const times = { startTimeUnixNano: nanos(period.startMs), timeUnixNano: nanos(period.endMs) };
  const base = { name, description: help, unit: unit === 'seconds' ? 's' : unit === 'bytes' ? 'By' : '1' };
  if (type === 'histogram') {
    const dataPoints = rows.map((row) => {
      const counts = row.values.slice(0, -1);
      const count = counts.reduce((sum, value) => sum + value, 0);
      return {
        ...times,
        attributes: attributes(labels, row.labels),
        count: String(count),
        sum: double(row.values[row.values.length - 1]),
        bucketCounts: counts.map(String),
        explicitBounds: buckets,
      };
    });
    return { ...base, histogram: { aggregationTemporality: cumulative, dataPoints } };
  }
  const dataPoints = rows.map((row) => ({
    ...times,
    attributes: attributes(labels, row.labels),
    asDouble: double(row.values[0]),
  }));
  return type === 'counter'
    ? { ...base, sum: { aggregationTemporality: cumulative, isMonotonic: true, dataPoints } }
    : { ...base, gauge: { dataPoints } };
}

function attributes(names: readonly string[], values: readonly string[]): object[] {
  return names.map((key, index) => ({ key, value: { stringValue: values[index] ?? '' } }));
}

// Protobuf's JSON mapping writes 64-bit numbers, and doubles that JSON lacks, as text.
function nanos(ms: number): string {
  return `${Math.round(ms * 1_000)}000`;
}

function double(value: number | undefined): number | string {
  return value === undefined || Number.isFinite(value) ? (value ?? 0) : String(value);
}
