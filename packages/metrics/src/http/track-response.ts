/**
 * Ends exchanges on the `close` event of node:http responses, which comes once for finished and for aborted ones alike. One
 * shared listener and a symbol on the response: no closure a request, and the finish is never taken for another request's
 * under keep-alive.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
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

/** Ends the exchange of a response; where it has not `finished` the client left early. */
export function endResponse(response: ServerResponse, finished: boolean): void {
  const state = (response as TrackedResponse)[tracked];
  if (state === undefined || state.exchange.ended) return;
  const request = response.req as IncomingMessage | undefined;
  state.recorder.end(state.exchange, {
    statusCode: finished ? response.statusCode : CLIENT_CLOSED,
    requestBytes: contentLength(request?.headers['content-length']),
    responseBytes: finished ? contentLength(response.getHeader('content-length')) : undefined,
  });
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
