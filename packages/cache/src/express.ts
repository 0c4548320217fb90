import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { answerFrom } from './http/answer.ts';
import {
  type IncomingRequest,
  type Lookup,
  ResponseCache,
  type ResponseCacheOptions,
} from './http/response-cache.ts';
import type { HeaderFields } from './http/storability.ts';

export type { ResponseCacheOptions } from './http/response-cache.ts';

type Miss = Extract<Lookup, { kind: 'miss' }>;

/**
 * Middleware that caches the responses of what comes after it to RFC 9111, 5861 and 9211. Handlers say with Cache-Control
 * what may be cached. A body is held back until it ends or outgrows `maxBodyBytes`; then it is passed on uncached.
 * A failing cache never fails a request.
 */
export function expressResponseCache(options: ResponseCacheOptions): RequestHandler {
  const cache = new ResponseCache(options);
  return async (request: Request, response: Response, next: NextFunction) => {
    const facts = incoming(request);
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      invalidateBeforeEnd(cache, facts, response);
      next();
      return;
    }
    const lookup = await cache.find(facts).catch(() => undefined);
    if (lookup?.kind === 'hit') {
      const answer = answerFrom(lookup.served, facts);
      response.status(answer.status).set(answer.headers).end(answer.body);
      return;
    }
    if (lookup !== undefined) capture(cache, facts, lookup, response);
    next();
  };
}

// Whoever has read the answer must not find what it made invalid.
function invalidateBeforeEnd(cache: ResponseCache, facts: IncomingRequest, response: Response): void {
  const { end } = response;
  response.end = ((...args: unknown[]) => {
    response.end = end;
    cache
      .invalidateAfter(facts, response.statusCode, fields(response))
      .catch(() => {})
      .finally(() => end.apply(response, args as unknown as Parameters<typeof end>));
    return response;
  }) as typeof end;
}

function capture(cache: ResponseCache, facts: IncomingRequest, lookup: Miss, response: Response): void {
  const { write, end } = response;
  const chunks: Buffer[] = [];
  let bytes = 0;
  let isPassing = false;
  // A client that left must not hold up those who wait.
  response.once('close', lookup.done);

  const pass = () => {
    isPassing = true;
    lookup.done();
    if (!response.headersSent) response.setHeader('cache-status', lookup.status);
    for (const chunk of chunks.splice(0)) write.call(response, chunk, 'utf8');
  };
  const take = (chunk: unknown, encoding: unknown) => {
    if (chunk === undefined || chunk === null || typeof chunk === 'function') return;
    const buffer =
      typeof chunk === 'string'
        ? Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8')
        : Buffer.from(chunk as Uint8Array);
    chunks.push(buffer);
    bytes += buffer.length;
  };

  response.write = ((...args: unknown[]) => {
    // Headers that are out already mean that somebody streams on purpose.
    if (!isPassing && response.headersSent) pass();
    if (isPassing) return write.apply(response, args as Parameters<typeof write>);
    take(args[0], args[1]);
    if (bytes > cache.maxBodyBytes) pass();
    const callback = args.find((arg) => typeof arg === 'function') as (() => void) | undefined;
    if (callback !== undefined) queueMicrotask(callback);
    return true;
  }) as typeof write;

  response.end = ((...args: unknown[]) => {
    response.write = write;
    response.end = end;
    if (!isPassing && response.headersSent) pass();
    if (isPassing) return end.apply(response, args as unknown as Parameters<typeof end>);
    take(args[0], args[1]);
    const callback = args.find((arg) => typeof arg === 'function') as (() => void) | undefined;
    if (response.statusCode >= 500 && lookup.stale !== undefined) {
      lookup.done();
      const answer = answerFrom(lookup.stale, facts);
      for (const name of response.getHeaderNames()) response.removeHeader(name);
      response.status(answer.status).set(answer.headers);
      return response.end(answer.body ?? '', callback);
    }
    const body = Buffer.concat(chunks);
    const { status, store } = cache.judge(facts, {
      status: response.statusCode,
      headers: fields(response),
      body,
    });
    response.setHeader('cache-status', lookup.status + status);
    // Not awaited: the client need not wait for the store.
    void (store?.() ?? Promise.resolve()).catch(() => {}).finally(lookup.done);
    return body.length === 0 ? response.end(callback) : response.end(body, callback);
  }) as typeof end;
}

function incoming(request: Request): IncomingRequest {
  const { headers, method, originalUrl } = request;
  return { method, host: headers.host ?? '', url: originalUrl, headers };
}

function fields(response: Response): HeaderFields {
  return Object.fromEntries(
    Object.entries(response.getHeaders()).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.map(String) : String(value),
    ]),
  );
}
