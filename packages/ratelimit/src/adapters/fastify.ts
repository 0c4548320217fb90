import type { FastifyContextConfig, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { assertTrustProxy } from '../keys/client-ip.ts';
import { checkRequestLimit, limitRequest, type Outcome, type RequestLimit } from './request-limit.ts';

/** A route's limit: `config: { rateLimit }`. For an address use `ipKey(request.ip)`. */
export type FastifyRouteLimit = RequestLimit<FastifyRequest>;

declare module 'fastify' {
  interface FastifyContextConfig {
    rateLimit?: FastifyRouteLimit;
  }
}

/**
 * Limits the routes that carry `config.rateLimit`. Register once, before them. Answers carry `RateLimit-Policy` and
 * `RateLimit`; denials are 429 problem+json with Retry-After, decided in `onRequest`, before the body is read.
 *
 * Refuses to start under `trustProxy: true`, where clients choose their `request.ip`.
 */
export function fastifyRateLimit(
  app: FastifyInstance,
  _options: object,
  done: (error?: Error) => void,
): void {
  try {
    assertTrustProxy(trustProxyOf(app));
  } catch (error) {
    done(error as Error);
    return;
  }
  const outcomes = new WeakMap<FastifyRequest, Outcome>();
  app.addHook('onRoute', (route) => {
    const config: FastifyContextConfig | undefined = route.config;
    const limit = config?.rateLimit;
    if (limit === undefined) return;
    checkRequestLimit(limit, `config.rateLimit of ${String(route.method)} ${route.url}`);
    const onRequest = async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
      const outcome = await limitRequest(limit, request);
      reply.headers(outcome.headers);
      if (outcome.answered !== undefined) outcomes.set(request, outcome);
      // A Buffer: a string would get a charset parameter, which problem+json does not define.
      return outcome.refusal && reply.code(outcome.refusal.status).send(outcome.refusal.body);
    };
    route.onRequest = [onRequest].concat((route.onRequest as never) ?? []);
    if (limit.refundIf === undefined) return;
    const onResponse = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
      await outcomes.get(request)?.answered?.(reply.statusCode);
    };
    route.onResponse = [onResponse].concat((route.onResponse as never) ?? []);
  });
  done();
}

/** Fastify keeps the option under a symbol only; where a version names it otherwise, the check finds nothing. */
function trustProxyOf(app: object): unknown {
  for (let level: object | null = app; level !== null; level = Object.getPrototypeOf(level)) {
    const symbol = Object.getOwnPropertySymbols(level).find(
      ({ description }) => description === 'fastify.options',
    );
    if (symbol !== undefined)
      return (level as Record<symbol, { trustProxy?: unknown } | undefined>)[symbol]?.trustProxy;
  }
  return undefined;
}

// Hooks must reach routes outside this plugin's own scope: this is what `fastify-plugin` sets.
Object.defineProperties(fastifyRateLimit, {
  [Symbol.for('skip-override')]: { value: true },
  [Symbol.for('fastify.display-name')]: { value: '@weir/ratelimit' },
});
