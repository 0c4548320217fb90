import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import type { Answer } from './http/answer.ts';
import { forward, refreshHeaders, refreshInBackground, takeRefresh } from './http/background.ts';
import { capture, invalidateBeforeEnd, isStream, tapped } from './http/capture.ts';
import type { Exchange, IncomingRequest } from './http/exchange.ts';
import { fieldsOf } from './http/fields.ts';
import { ResponseCache } from './http/response-cache.ts';
import type { ResponseCacheOptions } from './http/response-cache-options.ts';

export type { ResponseCacheOptions } from './http/response-cache-options.ts';

interface Forwarded {
  readonly exchange: Exchange;
  /** As it came, before the handler's view of it was changed. */
  readonly request: IncomingRequest;
  /** To be called when Fastify sends the reply: then `onSend` does what is done for a reply that bypasses it. */
  readonly releases: readonly (() => void)[];
}

/**
 * Caches the responses of the routes of its scope to RFC 9111, 5861 and 9211: register it before them, and after what must
 * see every request, authentication above all. Handlers say with Cache-Control what may be cached. Streams pass as
 * they come and are stored up to `maxBodyBytes`, and so does what a hijacked reply sends by `reply.raw`. A refresh in the
 * background runs the route by `app.inject`, hooks included. A failing cache never fails a request.
 */
export const fastifyResponseCache: FastifyPluginAsync<ResponseCacheOptions> = async (app, options) => {
  const cache = new ResponseCache(options);
  const forwarded = new WeakMap<FastifyRequest, Forwarded>();

  const refresh = (exchange: Exchange, { host, ip, protocol, url, headers }: FastifyRequest) => {
    const sent = refreshHeaders(headers);
    refreshInBackground(exchange, () =>
      app.inject({ method: 'GET', url: `${protocol}://${host}${url}`, headers: sent, remoteAddress: ip }),
    );
  };

  app.addHook('onRequest', async (request, reply) => {
    const incoming = incomingOf(request);
    let exchange = takeRefresh();
    if (exchange === undefined) {
      const lookup = await cache.find(incoming).catch(() => undefined);
      if (lookup === undefined) return;
      if (lookup.kind === 'answer') {
        if (lookup.refresh !== undefined) refresh(lookup.refresh, request);
        write(reply, lookup.answer);
        return reply.send(lookup.answer.body);
      }
      exchange = lookup.exchange;
    }
    forward(exchange, request.raw.headers);
    // A hijacked reply is answered by `reply.raw` and bypasses `onSend`.
    const releases = [capture(reply.raw, exchange, cache.maxBodyBytes)];
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      releases.push(invalidateBeforeEnd(cache, incoming, reply.raw));
    }
    forwarded.set(request, { exchange, request: incoming, releases });
  });

  app.addHook('onSend', async (request, reply, payload) => {
    const entry = forwarded.get(request);
    if (entry === undefined) return payload;
    const { exchange, releases } = entry;
    for (const release of releases) release();
    // Before the answer goes out: whoever has read it must not find what it made invalid.
    const headers = fieldsOf(reply.getHeaders());
    await cache.invalidateAfter(entry.request, reply.statusCode, headers).catch(() => {});
    const body = bodyOf(payload);
    const decision =
      body === undefined
        ? exchange.head(reply.statusCode, headers)
        : exchange.whole(reply.statusCode, headers, body);
    if (decision.kind === 'answer') {
      if (isStream(payload)) void discard(payload);
      for (const name of Object.keys(reply.getHeaders())) reply.removeHeader(name);
      write(reply, decision.answer);
      return decision.answer.body ?? null;
    }
    reply.header('cache-status', decision.cacheStatus);
    if (decision.kind === 'pass') return payload;
    if (!isStream(payload)) {
      exchange.abandon();
      return payload;
    }
    return tapped(payload, cache.maxBodyBytes, (whole) => exchange.collected(whole));
  });
};

// As of fastify-plugin: hooks apply to the scope that registers it, not to a child scope.
Object.assign(fastifyResponseCache, { [Symbol.for('skip-override')]: true });

function incomingOf(request: FastifyRequest): IncomingRequest {
  const { headers, host, method, url } = request;
  return { method, host, url, headers: { ...headers } };
}

function write(reply: FastifyReply, answer: Answer): void {
  reply.code(answer.status).headers(answer.headers);
}

function bodyOf(payload: unknown): Buffer | undefined {
  if (payload === null || payload === undefined) return Buffer.alloc(0);
  if (typeof payload === 'string') return Buffer.from(payload);
  if (ArrayBuffer.isView(payload)) return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  return undefined;
}

async function discard(payload: { destroy(): unknown } | ReadableStream): Promise<void> {
  if ('destroy' in payload) payload.destroy();
  else await payload.cancel().catch(() => {});
}
