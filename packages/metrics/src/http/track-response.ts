/**
 * Ends exchanges on the `close` event of node:http responses, which comes once for finished and for aborted ones alike. One
 * shared listener and a symbol on the response: no closure a request, and the finish is never taken for another request's
 * under keep-alive.
 */
import type { ServerResponse } from 'node:http';
import { CLIENT_CLOSED, type HttpExchange } from './recorder.ts';

const tracked: unique symbol = Symbol('weir.metrics.exchange');

type TrackedResponse = ServerResponse & { [tracked]?: HttpExchange };

const ZERO = 48;

/** Bytes a Content-Length header states; `undefined` where it is absent or malformed. */
export function contentLength(header: unknown): number | undefined {
  if (typeof header === 'number') return header;
  if (typeof header !== 'string' || header.length === 0 || header.length > 15) return undefined;
  let bytes = 0;
  for (let index = 0; index < header.length; index += 1) {
    const digit = header.charCodeAt(index) - ZERO;
    if (digit < 0 || digit > 9) return undefined;
    bytes = bytes * 10 + digit;
  }
  return bytes;
}

function onClose(this: TrackedResponse): void {
  // HTTP/2 calls a response finished whose stream the client has reset.
  endExchange(this, this.writableFinished && this.writableEnded);
}

function onFinish(this: TrackedResponse): void {
  endExchange(this, true);
}

// Where the response has not finished the client left early.
function endExchange(response: TrackedResponse, finished: boolean): void {
  const exchange = response[tracked];
  if (exchange === undefined || exchange.ended) return;
  exchange.recorder.end(exchange, {
    statusCode: finished ? response.statusCode : CLIENT_CLOSED,
    requestBytes: contentLength(response.req?.headers['content-length']),
    responseBytes: finished
      ? contentLength((exchange.responseHeaders ?? response).getHeader('content-length'))
      : undefined,
  });
}

/** Ends `exchange` when `response` closes, or at `finish` where it has no connection to close. */
export function trackResponse(
  exchange: HttpExchange,
  response: ServerResponse,
  event: 'close' | 'finish' = 'close',
): void {
  (response as TrackedResponse)[tracked] = exchange;
  response.on(event, event === 'close' ? onClose : onFinish);
}

/** The exchange of a response that is tracked, whoever tracks it. */
export function exchangeOf(response: ServerResponse): HttpExchange | undefined {
  return (response as TrackedResponse)[tracked];
}
