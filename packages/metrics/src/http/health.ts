/**
 * Liveness and readiness. A process is alive when it answers, and ready when every check passes. Checks run concurrently, each within its
 * timeout. Their result is kept for a moment, so that probes put no load on the dependencies.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { definitionOf } from '../catalogue.ts';
import { checkMilliseconds } from '../errors.ts';
import type { Clock, MetricRegistry } from '../registry.ts';
import { markProbe } from './track-response.ts';

/** Options of `metrics.health`. */
export interface HealthOptions {
  readonly checks: Readonly<Record<string, HealthCheck>>;
  /**
   * Longest time of each check, in whole milliseconds from 1 to 2,147,483,647.
   * @defaultValue 1,000
   */
  readonly timeoutMs?: number;
  /**
   * How long a result is reused without running the checks.
   * @defaultValue 1,000
   */
  readonly keepMs?: number;
}

/** Checks one dependency; rejects or throws if it does not work. `signal` is aborted at the timeout. */
export type HealthCheck = (context: { readonly signal: AbortSignal }) => unknown;

/** The health of this process, made by `metrics.health`. */
export interface Health {
  /** Runs the checks, or returns a result younger than `keepMs`. Never rejects. */
  check(): Promise<Readiness>;
  /** Makes the process not ready from now on, whatever the checks return: the first step of a graceful shutdown. */
  drain(): void;
  /** Answers 200. */
  liveness(): (request: IncomingMessage, response: ServerResponse) => void;
  /** Answers 200 or 503, with the name and state of each check. */
  readiness(): (request: IncomingMessage, response: ServerResponse) => void;
}

/** The state of the process. */
export interface Readiness {
  readonly ready: boolean;
  readonly checks: readonly CheckResult[];
}

/** The result of one check. `error` is for logs and never part of an HTTP response. */
export interface CheckResult {
  readonly name: string;
  readonly ok: boolean;
  readonly durationMs: number;
  readonly error: unknown;
}

/** Health whose checks' state and time are metrics of `registry`. */
export function createHealth(registry: MetricRegistry, options: HealthOptions): Health {
  const { clock } = registry;
  const { checks, timeoutMs = 1_000, keepMs = 1_000 } = options;
  checkMilliseconds('timeoutMs', timeoutMs);
  const up = registry.gauge(definitionOf('weir_health_check_up'));
  const seconds = registry.histogram(definitionOf('weir_health_check_duration_seconds'));
  let draining = false;
  let running: Promise<Readiness> | undefined;
  let last: { readonly atMs: number; readonly result: Readiness } | undefined;

  const run = async (): Promise<Readiness> => {
    const results = await Promise.all(
      Object.entries(checks).map(([name, check]) => runCheck(name, check, timeoutMs, clock)),
    );
    for (const { name, ok, durationMs } of results) {
      up.labels(name).set(ok ? 1 : 0);
      seconds.labels(name).observe(durationMs / 1_000);
    }
    last = { atMs: clock.now(), result: { ready: results.every(({ ok }) => ok), checks: results } };
    running = undefined;
    return last.result;
  };
  const check = async (): Promise<Readiness> => {
    if (last === undefined || clock.now() - last.atMs >= keepMs) running ??= run();
    const result = running === undefined ? (last as { result: Readiness }).result : await running;
    return draining ? { ...result, ready: false } : result;
  };
  return Object.freeze({
    check,
    drain: () => {
      draining = true;
    },
    liveness: () => (_request: IncomingMessage, response: ServerResponse) => {
      markProbe(response);
      answer(response, 200, { status: 'alive' });
    },
    readiness: () => (_request: IncomingMessage, response: ServerResponse) => {
      markProbe(response);
      void check().then(({ ready, checks: results }) => {
        const states = Object.fromEntries(results.map(({ name, ok }) => [name, ok ? 'ok' : 'failed']));
        answer(response, ready ? 200 : 503, {
          status: ready ? 'ready' : draining ? 'draining' : 'failed',
          checks: states,
        });
      });
    },
  });
}

async function runCheck(
  name: string,
  check: HealthCheck,
  timeoutMs: number,
  clock: Clock,
): Promise<CheckResult> {
  const startMs = clock.now();
  const signal = AbortSignal.timeout(timeoutMs);
  const expired = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  try {
    await Promise.race([(async () => check({ signal }))(), expired]);
    return { name, ok: true, durationMs: clock.now() - startMs, error: undefined };
  } catch (error) {
    return { name, ok: false, durationMs: clock.now() - startMs, error };
  }
}

// Something else, such as a timeout, may have answered meanwhile.
function answer(response: ServerResponse, status: number, body: object): void {
  if (response.headersSent) return;
  response
    .writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
    .end(JSON.stringify(body));
}
