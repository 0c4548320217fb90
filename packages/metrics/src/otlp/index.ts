/**
 * Pushes metrics by OTLP over HTTP, for where nothing can scrape. Numbers are cumulative: a push that is lost costs a point, never a count,
 * so nothing is queued or repeated, and a collector that is dead costs one bounded request an interval.
 */
import { takeSnapshot } from '../aggregation/snapshot.ts';
import type { Metrics } from '../create-metrics.ts';
import { metricsError } from '../errors.ts';
import { encodeOtlp } from './encode.ts';
import { endpointOf, headersOf, millisecondsOf } from './environment.ts';

/** Options of {@link pushMetrics}; the standard OTEL_* variables apply where one is not given. */
export interface PushOptions {
  readonly metrics: Metrics;
  /** The collector's endpoint, as `http://collector:4318/v1/metrics`. Default: OTEL_EXPORTER_OTLP_METRICS_ENDPOINT, else OTEL_EXPORTER_OTLP_ENDPOINT with `/v1/metrics`. */
  readonly url?: string;
  /** Added to those of OTEL_EXPORTER_OTLP_HEADERS and OTEL_EXPORTER_OTLP_METRICS_HEADERS, and go before them. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: OTEL_METRIC_EXPORT_INTERVAL, else 15,000. */
  readonly intervalMs?: number;
  /** Bound of each push. Default: OTEL_EXPORTER_OTLP_METRICS_TIMEOUT, else OTEL_EXPORTER_OTLP_TIMEOUT, else 5,000. */
  readonly timeoutMs?: number;
  /** Told of each push that failed; by default failures are silent. */
  readonly onError?: (error: unknown) => void;
}

/** A push that runs. */
export interface MetricsPush {
  /** Pushes now; `false` where it failed. Never rejects, and takes `timeoutMs` at most. */
  push(): Promise<boolean>;
  /** Pushes a last time and stops. Never rejects. */
  close(): Promise<boolean>;
}

function checkedUrl(url: string | undefined): string {
  if (url === undefined || !URL.canParse(url) || !/^https?:/.test(new URL(url).protocol))
    throw metricsError('ERR_WEIR_METRICS_OPTION', 'url', 'the URL of an OTLP/HTTP endpoint', url);
  return url;
}

function checkedHeaders(given: Readonly<Record<string, string>>): Headers {
  const headers = headersOf(process.env);
  for (const [name, value] of Object.entries(given)) {
    try {
      headers.set(name, value);
    } catch {
      throw metricsError('ERR_WEIR_METRICS_OPTION', 'headers', 'names and values of HTTP headers', name);
    }
  }
  headers.set('content-type', 'application/json');
  return headers;
}

/** Starts pushing. The timer does not keep the process alive. */
export function pushMetrics(options: PushOptions): MetricsPush {
  const { metrics, onError } = options;
  const { env } = process;
  const intervalMs = options.intervalMs ?? millisecondsOf(env, 'OTEL_METRIC_EXPORT_INTERVAL') ?? 15_000;
  const timeouts = ['OTEL_EXPORTER_OTLP_METRICS_TIMEOUT', 'OTEL_EXPORTER_OTLP_TIMEOUT'];
  const timeoutMs = options.timeoutMs ?? millisecondsOf(env, ...timeouts) ?? 5_000;
  const url = checkedUrl(options.url ?? endpointOf(env));
  const headers = checkedHeaders(options.headers ?? {});
  for (const [name, value] of Object.entries({ intervalMs, timeoutMs })) {
    if (!(value > 0)) throw metricsError('ERR_WEIR_METRICS_OPTION', name, 'above 0', value);
  }
  const startMs = performance.timeOrigin;
  let running: Promise<boolean> | undefined;
  const send = async (): Promise<boolean> => {
    try {
      const body = encodeOtlp(takeSnapshot(metrics.registry), { startMs, endMs: Date.now() });
      const signal = AbortSignal.timeout(timeoutMs);
      const response = await fetch(url, {
        method: 'POST',
        headers,
        body,
        signal,
      });
      await response.arrayBuffer();
      if (!response.ok) throw new Error(`The collector answered ${response.status}.`);
      return true;
    } catch (error) {
      onError?.(error);
      return false;
    } finally {
      running = undefined;
    }
  };
  // Pushes never overlap: one that is slow stands for those that would have come meanwhile.
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
