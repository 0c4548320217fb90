import type { Socket } from 'node:net';
import autocannon from 'autocannon';
import type { Clock } from '../process/cpu.ts';
import type { FailureKind } from '../result/result.ts';
import { connectTarget, readyEvent, type TlsTrust } from '../scenario/target.ts';
import type { LoadOptions } from './measurement.ts';
import { locationOf, type ResponseHead, ResponseParser } from './response-parser.ts';

/** Holds requests back while another load has its turn. */
export interface LoadGate {
  readonly isOpen: () => boolean;
  /** Receives the load. Call `resume` when the gate opens; it begins the requests that were held back. */
  readonly attach: (load: { resume(): void; inFlight(): number }) => void;
  /** Called after a request has ended. */
  readonly ended: () => void;
}

/** Options of {@link runClosedLoop}. */
interface ClosedLoopOptions extends LoadOptions {
  readonly gate?: LoadGate;
}

const sampleMs = 100;
const always = (): boolean => true;

/**
 * Loads the target through autocannon's clients: each connection sends its next request when an answer arrives. After the measured time
 * no request begins, and those in flight are awaited until they end or time out, so that the slowest requests are not
 * left out.
 */
export async function runClosedLoop(options: ClosedLoopOptions): Promise<void> {
  const { scenario, trust, measurement, clock, signal, redirected, gate } = options;
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
      // The deadline below ends the load before the engine does.
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
          clock,
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
            // Deferred, since the engine restarts its timer after it reported a timeout.
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
    Math.max(endMs - clock.now(), 0) + 1,
  );
  signal.addEventListener('abort', finish, { once: true });
  try {
    await ended;
  } finally {
    clearTimeout(deadline);
    signal.removeEventListener('abort', finish);
  }
}

/** Where a client reports; times are of `clock`. */
interface ClientObserver {
  readonly target: URL;
  readonly trust: TlsTrust | undefined;
  readonly clock: Clock;
  /** From sending a request to the end of its answer. */
  readonly timeoutMs: number;
  /** No request begins at this time or later. */
  readonly beginBeforeMs: () => number;
  /** While false no request begins. {@link ObservedClient.resume} begins those that were held back. */
  readonly mayBegin: () => boolean;
  readonly answered: (startMs: number, endMs: number, head: ResponseHead, bytes: number) => void;
  readonly failed: (startMs: number, endMs: number, kind: FailureKind) => void;
  /** Called when no request is in flight and none may begin. */
  readonly idle: () => void;
}

/** A client under observation. */
interface ObservedClient {
  /** Begins the requests that `mayBegin` held back. */
  resume(): void;
  inFlight(): number;
}

const reconnectDelayMs = 20;

/**
 * Gives a client of the engine a connection and a parser that count every request. By itself the engine accepts any certificate, forgets
 * requests whose connection ends without an answer, assigns later answers to those forgotten requests, waits for the
 * body of a HEAD answer, reconnects in a busy loop, and keeps unread bodies. Here every request in flight when
 * a connection ends counts as failed, its state is cleared, and after a connection without an answer the client pauses.
 */
function observeClient(client: EngineClient, observer: ClientObserver): ObservedClient {
  const { clock } = observer;
  const begun: number[] = [];
  let parser: ResponseParser;
  let closing = false;
  /** The latest answer announced the end of the connection; further bytes are ignored. */
  let retired = false;
  let answeredHere = 0;
  let bytes = 0;
  let held = 0;
  let receivedMs = 0;
  /** Requests that were in flight when the current bytes arrived; only they can be answered by them. */
  let answerable = 0;
  let surplus = false;
  let reconnect: NodeJS.Timeout | undefined;
  client.timeout = observer.timeoutMs;

  const lose = (kind: FailureKind): void => {
    const endMs = clock.now();
    for (const startMs of begun.splice(0)) observer.failed(startMs, endMs, kind);
    client.pipelinedRequests.clear();
    if (endMs >= observer.beginBeforeMs()) observer.idle();
  };

  const begin = client._doRequest.bind(client);
  client._doRequest = () => {
    if (closing || client.destroyed) return;
    const startMs = clock.now();
    if (startMs >= observer.beginBeforeMs()) {
      if (begun.length === 0) observer.idle();
      return;
    }
    if (!observer.mayBegin()) {
      held += 1;
      return;
    }
    begun.push(startMs);
    begin();
    if (begun.length === 1) expectNext();
  };
  const expectNext = (): void => {
    parser.expect(client.pipelinedRequests.toArray()[0]?.req.method ?? 'GET');
  };
  const onAnswer = (head: ResponseHead, keepAlive: boolean): void => {
    if (retired) return;
    if (answerable === 0) {
      surplus = true;
      return;
    }
    answerable -= 1;
    const startMs = begun.shift() ?? receivedMs;
    client.pipelinedRequests.toArray().shift();
    answeredHere += 1;
    observer.answered(startMs, receivedMs, head, bytes);
    bytes = 0;
    if (!keepAlive) {
      // The client must close the connection (RFC 9112 section 9.6), since the server answers no further request on it.
      closing = true;
      retired = true;
      client.conn.destroy();
      return;
    }
    if (begun.length > 0) expectNext();
    client._doRequest();
  };

  const open = (): void => {
    if (client.destroyed) return;
    closing = false;
    retired = false;
    answeredHere = 0;
    bytes = 0;
    held = 0;
    surplus = false;
    parser = new ResponseParser({ onAnswer });
    const own = parser;
    let failure: FailureKind = 'refused';
    const socket = connectTarget(observer.target, observer.trust, (chunk) => {
      if (parser !== own || retired) return;
      receivedMs = clock.now();
      bytes += chunk.length;
      answerable = begun.length;
      if ((own.execute(chunk) && !surplus) || retired) return;
      failure = 'malformed';
      socket.destroy();
    });
    client.conn = socket;
    socket.once(readyEvent(observer.target), () => {
      failure = 'cut';
    });
    socket.on('error', () => {});
    socket.once('end', () => {
      closing = true;
      receivedMs = clock.now();
      answerable = begun.length;
      own.finish();
    });
    socket.once('close', () => {
      if (client.conn !== socket || client.destroyed) return;
      lose(failure);
      if (answeredHere > 0) open();
      else reconnect = setTimeout(open, reconnectDelayMs);
    });
    for (let index = 0; index < client.opts.pipelining; index += 1) client._doRequest();
  };

  client._connect = () => {
    clearTimeout(reconnect);
    open();
  };
  client._destroyConnection = () => {
    clearTimeout(reconnect);
    const socket = client.conn;
    // A live client destroys its connection only when its oldest request timed out.
    if (!client.destroyed) lose('timeout');
    socket.removeAllListeners('close');
    socket.destroy();
  };
  return {
    inFlight: () => begun.length,
    resume() {
      const missing = held;
      held = 0;
      for (let index = 0; index < missing; index += 1) client._doRequest();
    },
  };
}

/** Members of the engine's client that its public type lacks. The hook `setupClient` receives it before it connects. */
export interface EngineClient {
  conn: Socket;
  destroyed: boolean;
  timeout: number;
  readonly opts: { readonly pipelining: number };
  readonly pipelinedRequests: EngineQueue;
  destroy(): void;
  _connect(): void;
  _doRequest(): void;
  _destroyConnection(): void;
}

interface EngineQueue {
  clear(): void;
  toArray(): { readonly req: { readonly method?: string } }[];
}
