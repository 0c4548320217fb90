import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { type Answer, answerFrom } from './http/answer.ts';
import {
  type IncomingRequest,
  type Lookup,
  ResponseCache,
  type ResponseCacheOptions,
} from './http/response-cache.ts';
import type { HeaderFields } from './http/storability.ts';

export type { ResponseCacheOptions } from './http/response-cache.ts';

/**
 * Caches the responses of the routes of its scope to RFC 9111, 5861 and 9211: register it before them. Handlers say with
 * Cache-Control what may be cached. Streams are passed on uncached. A failing cache never fails a request.
 */
export const fastifyResponseCache: FastifyPluginAsync<ResponseCacheOptions> = async (app, options) => {
  const cache = new ResponseCache(options);
  const lookups = new WeakMap<FastifyRequest, Extract<Lookup, { kind: 'miss' }>>();

  app.addHook('onRequest', async (request, reply) => {
    const lookup = await cache.find(incoming(request)).catch(() => undefined);
    if (lookup === undefined) return;
    if (lookup.kind === 'hit') {
      const answer = answerFrom(lookup.served, incoming(request));
      write(reply, answer);
      return reply.send(answer.body);
    }
    lookups.set(request, lookup);
    // A client that left, or a hijacked reply, must not hold up those who wait.
    reply.raw.once('close', lookup.done);
  });

  app.addHook('onSend', async (request, reply, payload) => {
    // Before the answer goes out: whoever has read it must not find what it made invalid.
    const headers = fields(reply.getHeaders());
    await cache.invalidateAfter(incoming(request), reply.statusCode, headers).catch(() => {});
    const lookup = lookups.get(request);
    if (lookup === undefined) return payload;
    if (reply.statusCode >= 500 && lookup.stale !== undefined) {
      lookup.done();
      const answer = answerFrom(lookup.stale, incoming(request));
      for (const name of Object.keys(reply.getHeaders())) reply.removeHeader(name);
      write(reply, answer);
      return answer.body ?? null;
    }
    const body = bodyOf(payload);
    if (body === undefined) {
      reply.header('cache-status', lookup.status);
      lookup.done();
      return payload;
    }
    const produced = { status: reply.statusCode, headers, body };
    const { status, store } = cache.judge(incoming(request), produced);
    reply.header('cache-status', lookup.status + status);
    // Not awaited: the client need not wait for the store.
    void (store?.() ?? Promise.resolve()).catch(() => {}).finally(lookup.done);
    return payload;
  });
};

// As of fastify-plugin: hooks apply to the scope that registers it, not to a child scope.
Object.assign(fastifyResponseCache, { [Symbol.for('skip-override')]: true });

function incoming(request: FastifyRequest): IncomingRequest {
  return { method: request.method, host: request.host, url: request.url, headers: request.headers };
}

function write(reply: FastifyReply, answer: Answer): void {
  reply.code(answer.status).headers(answer.headers);
}

function fields(headers: ReturnType<FastifyReply['getHeaders']>): HeaderFields {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.map(String) : String(value),
    ]),
  );
}

function bodyOf(payload: unknown): Buffer | undefined {
  if (payload === null || payload === undefined) return Buffer.alloc(0);
  if (typeof payload === 'string') return Buffer.from(payload);
  return Buffer.isBuffer(payload) ? payload : undefined;
}
