/**
 * Pushes metrics by OTLP over HTTP, for where nothing can scrape. Numbers are cumulative: a push that is lost costs a point, never a count,
 * so nothing is queued or repeated, and a collector that is dead costs one bounded request an interval.
 */
import { takeSnapshot } from '../aggregation/snapshot.ts';
import type { Metrics } from '../create-metrics.ts';
import { metricsError } from '../errors.ts';
import { encodeOtlp } from './encode.ts';

/** Options of {@link pushMetrics}. */
export interface PushOptions {
  readonly metrics: Metrics;
  /** The collector's endpoint, as `http://collector:4318/v1/metrics`. Default: OTEL_EXPORTER_OTLP_METRICS_ENDPOINT, else OTEL_EXPORTER_OTLP_ENDPOINT with `/v1/metrics`. */
  readonly url?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Default 15,000. */
  readonly intervalMs?: number;
  /** Bound of each push. Default 5,000. */
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

function endpoint(url: string | undefined): string {
  const { OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: own, OTEL_EXPORTER_OTLP_ENDPOINT: base } = process.env;
  const found = url ?? own ?? (base === undefined ? undefined : `${base.replace(/\/$/, '')}/v1/metrics`);
  if (found === undefined || !URL.canParse(found))
    throw metricsError('ERR_WEIR_METRICS_OPTION', 'url', 'the URL of an OTLP/HTTP endpoint', found);
  return found;
}

/** Starts pushing. The timer does not keep the process alive. */
export function pushMetrics(options: PushOptions): MetricsPush {
  const { metrics, headers = {}, intervalMs = 15_000, timeoutMs = 5_000, onError } = options;
  const url = endpoint(options.url);
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
        headers: { ...headers, 'content-type': 'application/json' },
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
