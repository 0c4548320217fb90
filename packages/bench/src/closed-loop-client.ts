import type { Socket } from 'node:net';
import { connectTarget } from './connect-target.ts';
import type { FailureKind } from './measurement.ts';

/** What the engine's client has beyond its public type; the hook `setupClient` hands it out before it connects. */
export interface EngineClient {
  conn: Socket;
  destroyed: boolean;
  timeout: number;
  readonly opts: { readonly pipelining: number };
  readonly parser: EngineParser;
  readonly pipelinedRequests: EngineQueue;
  readonly requestIterator: { readonly currentRequest: { readonly method?: string } };
  destroy(): void;
  _connect(): void;
  _doRequest(): void;
  _destroyConnection(): void;
  emit(event: 'connError', error: Error): boolean;
  removeAllListeners(event: 'response'): this;
  on(event: 'request', listener: () => void): this;
  on(event: 'response', listener: (status: number, bytes: number, durationMs: number) => void): this;
}

interface EngineParser {
  initialize(type: 'RESPONSE'): void;
  execute(chunk: Buffer): number | Error;
  finish(): Error | undefined;
  [callback: number]: (info: { readonly shouldKeepAlive: boolean }) => unknown;
}

interface EngineQueue {
  addByteCount(count: number): void;
  addBody(data: Buffer): void;
  clear(): void;
  toArray(): readonly { readonly req: { readonly method?: string } }[];
}

/** Where a client reports; times are of `now`. */
export interface ClientObserver {
  readonly target: URL;
  readonly now: () => number;
  /** From sending a request to the end of its answer. */
  readonly timeoutMs: number;
  /** No request begins at this time or later. */
  readonly beginBeforeMs: () => number;
  readonly answered: (
    startMs: number,
    latencyMs: number,
    endMs: number,
    status: number,
    bytes: number,
  ) => void;
  readonly failed: (startMs: number, endMs: number, kind: FailureKind) => void;
  /** Called when nothing is in flight and nothing may begin. */
  readonly idle: () => void;
}

const onHeadersComplete = 2; // The parser's kOnHeadersComplete.
const reconnectDelayMs = 20;

/**
 * Gives a client of the engine a connection that loses nothing. On its own the engine accepts any certificate, forgets
 * requests whose connection ends without an answer, pairs later answers with those forgotten requests, waits for the
 * body of a HEAD answer, and reconnects in a busy loop. Here every request in flight when a connection ends counts as
 * failed, state is cleared with it, and a connection that brought no answer is followed by a pause.
 */
export function observeClient(client: EngineClient, observer: ClientObserver): void {
  const begun: number[] = [];
  let closing = false;
  let answeredHere = 0;
  let reconnect: NodeJS.Timeout | undefined;
  let patched = false;
  let nowMs = 0;
  client.timeout = observer.timeoutMs;

  const lose = (kind: FailureKind): void => {
    const endMs = observer.now();
    for (const startMs of begun.splice(0)) observer.failed(startMs, endMs, kind);
    client.pipelinedRequests.clear();
    client.parser.initialize('RESPONSE');
    if (endMs >= observer.beginBeforeMs()) observer.idle();
  };

  const begin = client._doRequest.bind(client);
  client._doRequest = () => {
    if (closing || client.destroyed) return;
    nowMs = observer.now();
    if (nowMs < observer.beginBeforeMs()) begin();
    else if (begun.length === 0) observer.idle();
  };
  client.pipelinedRequests.addBody = () => {};
  client.on('request', () => begun.push(nowMs));
  const onResponse = (status: number, bytes: number, durationMs: number) => {
    const startMs = begun.shift();
    answeredHere += 1;
    if (startMs !== undefined) observer.answered(startMs, durationMs, observer.now(), status, bytes);
  };

  const open = (): void => {
    if (client.destroyed) return;
    closing = false;
    answeredHere = 0;
    const socket = connectTarget(observer.target);
    client.conn = socket;
    let failure: FailureKind = 'refused';
    socket.once('connect', () => {
      failure = 'cut';
    });
    socket.on('data', (chunk: Buffer) => {
      client.pipelinedRequests.addByteCount(chunk.length);
      if (client.parser.execute(chunk) instanceof Error) {
        failure = 'malformed';
        socket.destroy();
      }
    });
    socket.on('error', () => {});
    socket.once('end', () => {
      closing = true;
      client.parser.finish();
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
    if (!patched) {
      patched = true;
      // In place of the engine's own listener, whose counts and whole milliseconds nobody reads; it is added after this call.
      queueMicrotask(() => client.removeAllListeners('response').on('response', onResponse));
      patchParser(client, () => {
        closing = true;
      });
    }
    clearTimeout(reconnect);
    open();
  };
  client._destroyConnection = () => {
    clearTimeout(reconnect);
    const socket = client.conn;
    // A live client destroys its connection for one reason only: its oldest request timed out.
    if (!client.destroyed) lose('timeout');
    socket.removeAllListeners('close');
    socket.destroy();
  };
}

/** An answer to HEAD has no body whatever its headers say; an answer that ends the connection takes no successor. */
function patchParser(client: EngineClient, onLastAnswer: () => void): void {
  const { parser } = client;
  const original = parser[onHeadersComplete];
  parser[onHeadersComplete] = (info) => {
    original?.(info);
    if (!info.shouldKeepAlive) onLastAnswer();
    return client.pipelinedRequests.toArray()[0]?.req.method === 'HEAD';
  };
}
