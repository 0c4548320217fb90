import type { Application, NextFunction, Request, RequestHandler, Response } from 'express';
import {
  forward,
  handleDetached,
  refreshHeaders,
  refreshInBackground,
  takeRefresh,
} from './http/background.ts';
import { capture, invalidateBeforeEnd, send } from './http/capture.ts';
import type { Exchange, IncomingRequest } from './http/exchange.ts';
import { ResponseCache } from './http/response-cache.ts';
import type { ResponseCacheOptions } from './http/response-cache-options.ts';

export type { ResponseCacheOptions } from './http/response-cache-options.ts';

/**
 * Middleware that caches the responses of what comes after it to RFC 9111, 5861 and 9211: use it after what must see
 * every request, authentication above all. Handlers say with Cache-Control what may be cached. A body that is written
 * in parts passes as it comes and is stored up to `maxBodyBytes`. A refresh in the background sends a request of its own
 * through the whole application. A failing cache never fails a request.
 */
export function expressResponseCache(options: ResponseCacheOptions): RequestHandler {
  const cache = new ResponseCache(options);
  return async (request: Request, response: Response, next: NextFunction) => {
    const incoming = incomingOf(request);
    let exchange = takeRefresh();
    if (exchange === undefined) {
      const lookup = await cache.find(incoming).catch(() => undefined);
      if (lookup === undefined) {
        next();
        return;
      }
      if (lookup.kind === 'answer') {
        if (lookup.refresh !== undefined) refresh(lookup.refresh, request);
        send(response, lookup.answer);
        return;
      }
      exchange = lookup.exchange;
    }
    forward(exchange, request.headers);
    capture(response, exchange, cache.maxBodyBytes);
    if (request.method !== 'GET' && request.method !== 'HEAD') invalidateBeforeEnd(cache, incoming, response);
    next();
  };
}

function refresh(exchange: Exchange, request: Request): void {
  const { headers, ip, originalUrl, secure } = request;
  const app = outermost(request.app);
  const detached = {
    url: originalUrl,
    headers: refreshHeaders(headers),
    remoteAddress: ip,
    isEncrypted: secure,
  };
  refreshInBackground(exchange, () => handleDetached(app as never, detached));
}

function outermost(app: Application): Application {
  let current = app;
  while ((current as { parent?: Application }).parent !== undefined) {
    current = (current as unknown as { parent: Application }).parent;
  }
  return current;
}

function incomingOf({ headers, method, originalUrl }: Request): IncomingRequest {
  return { method, host: headers.host ?? '', url: originalUrl, headers: { ...headers } };
}
