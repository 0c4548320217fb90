/**
 * Ends exchanges on the `close` event of node:http responses, which comes once for finished and for aborted ones alike. One
 * shared listener and a symbol on the response: no closure a request, and the finish is never taken for another request's
 * under keep-alive.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { CLIENT_CLOSED, type HttpExchange, type HttpRecorder } from './recorder.ts';

const tracked: unique symbol = Symbol('weir.metrics.exchange');

interface Tracked {
  readonly recorder: HttpRecorder;
  readonly exchange: HttpExchange;
}

type TrackedResponse = ServerResponse & { [tracked]?: Tracked };

/** Bytes a Content-Length header states; `undefined` where it is absent or malformed. */
export function contentLength(header: unknown): number | undefined {
  if (typeof header === 'number') return header;
  if (typeof header !== 'string' || !/^\d{1,15}$/.test(header)) return undefined;
  return Number(header);
}

function onClose(this: TrackedResponse): void {
  endResponse(this, this.writableFinished);
}

// Where it has not finished the client left early.
function endResponse(response: ServerResponse, finished: boolean): void {
  const state = (response as TrackedResponse)[tracked];
  if (state === undefined || state.exchange.ended) return;
  const request = response.req as IncomingMessage | undefined;
  state.recorder.end(state.exchange, {
    statusCode: finished ? response.statusCode : CLIENT_CLOSED,
    requestBytes: contentLength(request?.headers['content-length']),
    responseBytes: finished ? contentLength(response.getHeader('content-length')) : undefined,
  });
}

const inFlight: unique symbol = Symbol('weir.metrics.inFlight');

type TrackedSocket = Socket & { [inFlight]?: Set<HttpExchange> };

/**
 * For servers that tell the end of a response themselves: ends `exchange` as aborted when its connection closes first. One listener a
 * connection, none a request; call {@link untrackAbort} when the response has ended. HTTP/2 streams end without
 * their connection and need {@link trackResponse}.
 */
export function trackAbort(recorder: HttpRecorder, exchange: HttpExchange, socket: Socket): void {
  const tracked = socket as TrackedSocket;
  let exchanges = tracked[inFlight];
  if (exchanges === undefined) {
    exchanges = new Set();
    tracked[inFlight] = exchanges;
    const own = exchanges;
    socket.once('close', () => {
      for (const open of own) recorder.end(open, { statusCode: CLIENT_CLOSED });
      own.clear();
    });
  }
  exchanges.add(exchange);
}

/** Forgets an exchange whose response has ended. */
export function untrackAbort(exchange: HttpExchange, socket: Socket | null): void {
  (socket as TrackedSocket | null)?.[inFlight]?.delete(exchange);
}

/** Ends `exchange` when `response` closes. */
export function trackResponse(
  recorder: HttpRecorder,
  exchange: HttpExchange,
  response: ServerResponse,
): void {
  (response as TrackedResponse)[tracked] = { recorder, exchange };
  response.on('close', onClose);
}

/** The exchange of a response that is tracked, whoever tracks it. */
export function exchangeOf(response: ServerResponse): HttpExchange | undefined {
  return (response as TrackedResponse)[tracked]?.exchange;
}
