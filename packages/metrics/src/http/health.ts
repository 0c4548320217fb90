/**
 * Liveness and readiness. A process is alive when it answers; it is ready when every check passes. Checks run beside each other, each within its
 * timeout, and their result is kept for a moment, so that probes never become load on what they check.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { definitionOf } from '../catalogue.ts';
import { metricsError } from '../errors.ts';
import type { Clock, MetricRegistry } from '../registry.ts';
import { stateProbe } from './track-response.ts';

/** Asks one dependency; rejects, or throws, where it does not work. `signal` ends with the timeout. */
export type HealthCheck = (context: { readonly signal: AbortSignal }) => unknown;

/** Options of health. */
export interface HealthOptions {
  readonly checks: Readonly<Record<string, HealthCheck>>;
  /** Bound of each check. Default 1,000. */
  readonly timeoutMs?: number;
  /** How long a result is told again without asking. Default 1,000. */
  readonly keepMs?: number;
}

/** The result of one check; a failure's message is for logs and never part of an answer over HTTP. */
export interface CheckResult {
  readonly name: string;
  readonly ok: boolean;
  readonly durationMs: number;
  readonly error: unknown;
}

/** The state of the process. */
export interface Readiness {
  readonly ready: boolean;
  readonly checks: readonly CheckResult[];
}

/** What `metrics.health` makes. */
export interface Health {
  /** Runs the checks, or tells what they said a moment ago. Never rejects. */
  check(): Promise<Readiness>;
  /** From now on not ready, whatever the checks say: the first step of a graceful shutdown. */
  drain(): void;
  /** Answers 200 as long as the process answers. */
  liveness(): (request: IncomingMessage, response: ServerResponse) => void;
  /** Answers 200 or 503 with the names of the checks and whether they passed. */
  readiness(): (request: IncomingMessage, response: ServerResponse) => void;
}

function answer(response: ServerResponse, status: number, body: object): void {
  response
    .writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
    .end(JSON.stringify(body));
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

/** Makes health on a registry: each check's state and time are metrics too. */
export function createHealth(registry: MetricRegistry, options: HealthOptions): Health {
  const { clock } = registry;
  const { checks, timeoutMs = 1_000, keepMs = 1_000 } = options;
  if (!(timeoutMs > 0)) throw metricsError('ERR_WEIR_METRICS_OPTION', 'timeoutMs', 'above 0', timeoutMs);
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
      stateProbe(response);
      answer(response, 200, { status: 'alive' });
    },
    readiness: () => (_request: IncomingMessage, response: ServerResponse) => {
      stateProbe(response);
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
