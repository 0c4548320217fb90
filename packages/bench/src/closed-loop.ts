import autocannon from 'autocannon';
import { type EngineClient, type ObservedClient, observeClient } from './closed-loop-client.ts';
import { locationOf } from './http/response-parser.ts';
import type { LoadOptions } from './load-options.ts';

/** Lets requests begin or holds them back, for loads that take turns. */
export interface LoadGate {
  readonly isOpen: () => boolean;
  /** Is handed the load: `resume`, to be called when the gate opens, begins what was held back. */
  readonly attach: (load: { resume(): void; inFlight(): number }) => void;
  /** Is called when a request has ended and is in flight no more. */
  readonly ended: () => void;
}

/** Options of {@link runClosedLoop}. */
export interface ClosedLoopOptions extends LoadOptions {
  readonly gate?: LoadGate;
}

const sampleMs = 100;
const always = (): boolean => true;

/**
 * Loads the target through autocannon's clients: each connection sends its next request when an answer arrives. When
 * the measured time is over nothing new begins, and what is in flight ends or times out, so that the slowest requests
 * are not the ones left out.
 */
export async function runClosedLoop(options: ClosedLoopOptions): Promise<void> {
  const { scenario, trust, measurement, now, signal, redirected, gate } = options;
  if (signal.aborted) return;
  const target = new URL(scenario.target);
  const clients: EngineClient[] = [];
  const observed: ObservedClient[] = [];
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
        const observer = observeClient(client, {
          target,
          trust,
          now,
          timeoutMs: scenario.timeoutMs,
          beginBeforeMs: () => endMs,
          mayBegin: gate?.isOpen ?? always,
          answered: (startMs, endMs, head, bytes) => {
            measurement.answered(startMs, endMs - startMs, endMs, head.status, bytes);
            const location = locationOf(head);
            if (location !== undefined) redirected(location);
            gate?.ended();
          },
          failed: (startMs, endMs, kind) => {
            measurement.failed(startMs, endMs, kind);
            gate?.ended();
          },
          idle: () => {
            idle.add(client);
            // Deferred: the engine re-arms its timer after it has reported a timeout.
            if (idle.size === clients.length) setImmediate(finish);
          },
        });
        observed.push(observer);
      },
    },
    (error) => (error ? reject(error) : resolve()),
  );

  gate?.attach({
    resume: () => {
      for (const client of observed) client.resume();
    },
    inFlight: () => observed.reduce((sum, client) => sum + client.inFlight(), 0),
  });
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
