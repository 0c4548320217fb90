import autocannon from 'autocannon';
import { type EngineClient, observeClient } from './closed-loop-client.ts';
import type { Measurement } from './measurement.ts';
import type { ResolvedScenario } from './scenario.ts';

/** Options of {@link runClosedLoop}. */
export interface ClosedLoopOptions {
  readonly scenario: ResolvedScenario;
  readonly measurement: Measurement;
  readonly now: () => number;
  /** Stops at once: what is in flight is dropped uncounted. */
  readonly signal: AbortSignal;
}

const sampleMs = 100;

/**
 * Loads the target through autocannon's clients: each connection sends its next request when an answer arrives. When
 * the measured time is over nothing new begins, and what is in flight ends or times out, so that the slowest requests
 * are not the ones left out.
 */
export async function runClosedLoop(options: ClosedLoopOptions): Promise<void> {
  const { scenario, measurement, now, signal } = options;
  if (signal.aborted) return;
  const target = new URL(scenario.target);
  const clients: EngineClient[] = [];
  const idle = new Set<EngineClient>();
  const plannedMs = scenario.warmupMs + scenario.durationMs;
  let endMs = measurement.beginBeforeMs;

  const finish = (): void => {
    endMs = Number.NEGATIVE_INFINITY;
    for (const client of clients) client.destroy();
    engine.stop();
  };
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
  const engine = autocannon(
    {
      url: scenario.target,
      connections: scenario.connections,
      pipelining: scenario.pipelining,
      // The engine never ends by itself; the deadline below does, after which requests in flight are awaited.
      duration: (plannedMs + scenario.timeoutMs) / 1_000 + 60,
      timeout: Math.ceil(scenario.timeoutMs / 1_000),
      sampleInt: sampleMs,
      requests: scenario.requests.map(({ method, path, headers, body }) => ({
        method: method as autocannon.Request['method'] & string,
        path,
        headers: { ...headers },
        ...(body === undefined ? {} : { body }),
      })),
      setupClient: (publicClient) => {
        const client = publicClient as unknown as EngineClient;
        clients.push(client);
        observeClient(client, {
          target,
          now,
          timeoutMs: scenario.timeoutMs,
          beginBeforeMs: () => endMs,
          answered: (startMs, latencyMs, endMs, status, bytes) =>
            measurement.answered(startMs, latencyMs, endMs, status, bytes),
          failed: (startMs, endMs, kind) => measurement.failed(startMs, endMs, kind),
          idle: () => {
            idle.add(client);
            // Deferred: the engine re-arms its timer after it has reported a timeout.
            if (idle.size === clients.length) setImmediate(finish);
          },
        });
      },
    },
    (error) => (error ? reject(error) : resolve()),
  );

  const deadline = setTimeout(
    () => {
      for (const client of clients) if (client.pipelinedRequests.toArray().length === 0) idle.add(client);
      if (idle.size === clients.length) finish();
    },
    Math.max(endMs - now(), 0) + 1,
  );
  signal.addEventListener('abort', finish, { once: true });
  try {
    await ended;
  } finally {
    clearTimeout(deadline);
    signal.removeEventListener('abort', finish);
  }
}
