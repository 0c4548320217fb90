import type { FastifyContextConfig, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { RateLimitError, shown } from '../errors.ts';
import type { RateLimiter } from '../limiter.ts';
import { outcomeOf } from './respond.ts';

/** A route's limit: `config: { rateLimit }`. */
export interface FastifyRouteLimit {
  readonly limiter: RateLimiter;
  /** Whose quota: for an address `ipKey(request.ip)`. */
  readonly key: (request: FastifyRequest) => string | Promise<string>;
  /** Units, or what they are for a request. Default 1. */
  readonly cost?: number | ((request: FastifyRequest) => number);
}

declare module 'fastify' {
  interface FastifyContextConfig {
    rateLimit?: FastifyRouteLimit;
  }
}

/**
 * Limits the routes that carry `config.rateLimit`. Register once, before them. Answers carry `RateLimit-Policy` and
 * `RateLimit`; denials are 429 problem+json with Retry-After, decided in `onRequest`, before the body is read.
 */
export function fastifyRateLimit(app: FastifyInstance, _options: object, done: () => void): void {
  app.addHook('onRoute', (route) => {
    const config: FastifyContextConfig | undefined = route.config;
    const limit = config?.rateLimit;
    if (limit === undefined) return;
    checked(limit, `${route.method} ${route.url}`);
    const hook = async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
      const cost = typeof limit.cost === 'function' ? limit.cost(request) : (limit.cost ?? 1);
      const { headers, refusal } = await outcomeOf(limit.limiter, await limit.key(request), cost);
      reply.headers(headers);
      // A string would get a charset parameter, which problem+json does not define.
      return refusal === undefined ? undefined : reply.code(refusal.status).send(Buffer.from(refusal.body));
    };
    route.onRequest = [hook].concat((route.onRequest as never) ?? []);
  });
  done();
}

// Hooks must reach routes outside this plugin's own scope: this is what `fastify-plugin` sets.
Object.defineProperties(fastifyRateLimit, {
  [Symbol.for('skip-override')]: { value: true },
  [Symbol.for('fastify.display-name')]: { value: '@weir/ratelimit' },
});

function checked(limit: FastifyRouteLimit, route: string): void {
  if (typeof limit.limiter?.consume !== 'function' || typeof limit.key !== 'function') {
    throw new RateLimitError(
      'ERR_WEIR_RATELIMIT_OPTIONS',
      `Expected \`config.rateLimit\` of ${route} to be { limiter, key }, got ${shown(limit)}. Give the limiter and a function from the request to a key.`,
    );
  }
}
