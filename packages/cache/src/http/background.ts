import { AsyncLocalStorage } from 'node:async_hooks';
import { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { Exchange } from './exchange.ts';
import type { HeaderFields } from './fields.ts';

// A request made in the background is told from a client's by its asynchronous context, which no client can forge.
const refreshing = new AsyncLocalStorage<Exchange>();

/** Carries out a refresh (RFC 5861 §3): `send` makes the framework handle a request of its own, to its end. */
export function refreshInBackground(exchange: Exchange, send: () => Promise<unknown>): void {
  // Not before the stale answer is on its way.
  setImmediate(() => {
    // Awaited inside: a request of the frameworks' own injection begins only when somebody waits for it.
    refreshing
      .run(exchange, async () => await send())
      .catch(() => {})
      .finally(() => exchange.abandon());
  });
}

/** The exchange that this very request was made for, if it was made in the background. */
export function takeRefresh(): Exchange | undefined {
  const exchange = refreshing.getStore();
  return exchange?.take() ? exchange : undefined;
}

// What belongs to the client's own exchange: its preconditions, its wishes, its body.
const dropped = new Set([
  'if-none-match',
  'if-modified-since',
  'if-match',
  'if-unmodified-since',
  'if-range',
  'range',
  'cache-control',
  'pragma',
  'connection',
  'content-length',
  'transfer-encoding',
]);

/** The header section of a background request: the client's, whose variant is to be refreshed. */
export function refreshHeaders(headers: HeaderFields): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !dropped.has(name))
      kept[name] = typeof value === 'string' ? value : value.join(', ');
  }
  return kept;
}

/** Puts an exchange's fields on the request that goes to the handler. */
export function forward(exchange: Exchange, headers: Record<string, string | string[] | undefined>): void {
  for (const [name, value] of Object.entries(exchange.forwarded ?? {})) {
    if (value === undefined) delete headers[name];
    else headers[name] = value;
  }
}

/** A request that no client has sent. */
interface DetachedRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly remoteAddress: string | undefined;
  readonly isEncrypted: boolean;
}

/**
 * Has a `node:http` request listener answer a GET that comes from nowhere; resolves when it has answered. Request and
 * response are Node's own classes, for Express gives both its own prototypes.
 */
export function handleDetached(
  listener: (request: IncomingMessage, response: ServerResponse) => unknown,
  { headers, isEncrypted, remoteAddress, url }: DetachedRequest,
): Promise<void> {
  const socket = new Duplex({
    read() {},
    write(_chunk, _encoding, done) {
      done();
    },
  });
  Object.assign(socket, { remoteAddress, encrypted: isEncrypted });
  const request = new IncomingMessage(socket as Socket);
  Object.assign(request, {
    method: 'GET',
    url,
    headers,
    httpVersion: '1.1',
    httpVersionMajor: 1,
    httpVersionMinor: 1,
  });
  request.complete = true;
  request.push(null);
  const response = new ServerResponse(request);
  response.assignSocket(socket as Socket);
  return new Promise((resolve) => {
    response.once('finish', resolve);
    response.once('close', resolve);
    listener(request, response);
  });
}
