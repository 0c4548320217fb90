/**
 * Ends exchanges on the `close` event of node:http responses, which comes once for finished and for aborted ones alike. One
 * shared listener and a symbol on the response: no closure a request, and the finish is never taken for another request's
 * under keep-alive.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { clientClosedStatus, type HttpExchange, type HttpRecorder } from './recorder.ts';

const tracked: unique symbol = Symbol('weir.metrics.exchange');

type TrackedResponse = ServerResponse & { [tracked]?: HttpExchange };

const zeroCode = 48;

/** Bytes a Content-Length header states; `undefined` where it is absent or malformed. */
export function contentLength(header: unknown): number | undefined {
  if (typeof header === 'number') return header;
  if (typeof header !== 'string' || header.length === 0 || header.length > 15) return undefined;
  let bytes = 0;
  for (let index = 0; index < header.length; index += 1) {
    const digit = header.charCodeAt(index) - zeroCode;
    if (digit < 0 || digit > 9) return undefined;
    bytes = bytes * 10 + digit;
  }
  return bytes;
}

function onClose(this: TrackedResponse): void {
  // HTTP/2 calls a response finished whose stream the client has reset.
  endExchanges(this, this.writableFinished && this.writableEnded);
}

function onFinish(this: TrackedResponse): void {
  endExchanges(this, true);
}

// Where the response has not finished the client left early.
function endExchanges(response: TrackedResponse, finished: boolean): void {
  for (let exchange = response[tracked]; exchange !== undefined; exchange = exchange.other) {
    if (exchange.ended) continue;
    exchange.recorder.end(exchange, {
      statusCode: finished ? response.statusCode : clientClosedStatus,
      requestBytes: contentLength(response.req?.headers['content-length']),
      responseBytes: finished
        ? contentLength((exchange.responseHeaders ?? response).getHeader('content-length'))
        : undefined,
    });
  }
}

const statusLine = /^HTTP\/1\.[01] (\d{3}) /;

/**
 * The answer to an upgrade, such as that of a WebSocket, is written to the socket by its handler, past the response, which never finishes. With that
 * answer the exchange ends: what the connection carries afterwards is no request any more. A refusal by the response ends with the response, as no
 * server closes it.
 */
function followUpgrade(response: TrackedResponse): void {
  response.on('finish', onFinish);
  const socket = response.socket ?? response.req.socket;
  let isFirst = true;
  const tell = (chunk: unknown): void => {
    if (!isFirst) return;
    isFirst = false;
    const status = response.headersSent ? undefined : statusLine.exec(String(chunk).slice(0, 20))?.[1];
    if (status === undefined) return;
    for (const exchange of exchangesOf(response))
      exchange.recorder.end(exchange, { statusCode: Number(status) });
  };
  for (const method of ['write', 'end'] as const) {
    const original = socket[method] as (...args: unknown[]) => unknown;
    const value = (...args: unknown[]): unknown => {
      tell(args[0]);
      return original.apply(socket, args);
    };
    Object.defineProperty(socket, method, { value, writable: true, configurable: true });
  }
}

/**
 * The exchange of `http` on a response, which ends when the response closes, or at `finish` where it has no connection to close. Where an earlier
 * middleware began it already it is that one, so that each request counts once.
 */
export function trackResponse(
  http: HttpRecorder,
  request: Pick<IncomingMessage, 'method' | 'headers'>,
  response: ServerResponse,
  event: 'close' | 'finish' = 'close',
): HttpExchange {
  const other = (response as TrackedResponse)[tracked];
  if (other !== undefined) {
    for (const exchange of exchangesOf(response)) if (exchange.recorder === http) return exchange;
  }
  const exchange = http.begin(request.method ?? '', request.headers);
  exchange.other = other;
  (response as TrackedResponse)[tracked] = exchange;
  if (other === undefined) {
    response.on(event, event === 'close' ? onClose : onFinish);
    if ((response.req as { readonly upgrade?: unknown } | undefined)?.upgrade === true)
      followUpgrade(response);
  }
  // The client left before the middleware ran, and the event will not come again.
  if (response.closed) endExchanges(response, response.writableFinished);
  return exchange;
}

// The end of a request is on the hot path and has a loop of its own.
function* exchangesOf(response: TrackedResponse): Generator<HttpExchange> {
  for (let exchange = response[tracked]; exchange !== undefined; exchange = exchange.other) yield exchange;
}

/** States the route template of a response, whoever tracks it. */
export function stateRoute(response: ServerResponse, route: string): void {
  for (const exchange of exchangesOf(response)) exchange.route = route;
}

/** States that a response answers a scrape or a health probe. */
export function stateProbe(response: ServerResponse): void {
  for (const exchange of exchangesOf(response)) exchange.isProbe = true;
}
