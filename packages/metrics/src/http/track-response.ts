/**
 * Ends exchanges on the `close` event of node:http responses, which is emitted once for finished and for aborted responses alike. One shared
 * listener and a symbol on the response avoid a closure per request, and no finish is attributed to another request under keep-alive.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { clientClosedStatus, type HttpExchange, type HttpRecorder } from './recorder.ts';

const tracked: unique symbol = Symbol('weir.metrics.exchange');

type TrackedResponse = ServerResponse & { [tracked]?: HttpExchange };

/**
 * The exchange of `http` on a response, which ends when the response closes. If an earlier middleware began it, that exchange is returned, so each
 * request counts once. `event` is `finish` for a response without a connection that could close.
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
  // The client disconnected before the middleware ran; the event will not be emitted again.
  if (response.closed) endExchanges(response, response.writableFinished);
  return exchange;
}

function onClose(this: TrackedResponse): void {
  // In HTTP/2 a response is `writableFinished` too if the client has reset its stream.
  endExchanges(this, this.writableFinished && this.writableEnded);
}

function onFinish(this: TrackedResponse): void {
  endExchanges(this, true);
}

// A response that closes unfinished was aborted by its client.
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

/** The bytes of a Content-Length header; `undefined` if it is absent or malformed. */
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

const zeroCode = 48;

const statusLine = /^HTTP\/1\.[01] (\d{3}) /;

/**
 * The handler of an upgrade, such as to a WebSocket, writes its answer to the socket, not to the response, which never finishes. The exchange ends
 * with that answer: the connection carries no request afterwards. A refusal through the response ends at `finish`, as no server closes it.
 */
function followUpgrade(response: TrackedResponse): void {
  response.on('finish', onFinish);
  const socket = response.socket ?? response.req.socket;
  let isFirst = true;
  const inspect = (chunk: unknown): void => {
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
      inspect(args[0]);
      return original.apply(socket, args);
    };
    Object.defineProperty(socket, method, { value, writable: true, configurable: true });
  }
}

// `endExchanges` is on the hot path and has its own loop.
function* exchangesOf(response: TrackedResponse): Generator<HttpExchange> {
  for (let exchange = response[tracked]; exchange !== undefined; exchange = exchange.other) yield exchange;
}

/** Sets the route template of a response for every `createMetrics` that tracks it; a no-op on an untracked response. */
export function setRoute(response: ServerResponse, route: string): void {
  for (const exchange of exchangesOf(response)) exchange.route = route;
}

/** Marks a response as the answer to a scrape or a health probe. */
export function markProbe(response: ServerResponse): void {
  for (const exchange of exchangesOf(response)) exchange.isProbe = true;
}
