import type {
  FastifyContextConfig,
  FastifyInstance,
  FastifyPluginCallback,
  FastifyReply,
  FastifyRequest,
} from 'fastify';
import { assertTrustProxy } from '../keys/client-ip.ts';
import { admissionBy, type OverloadGuard, overloadAnswer } from '../overload/admission.ts';
import { holdUntilAnswered } from '../overload/hold-permit.ts';
import { checkRequestLimit, limitRequest, type Outcome, type RequestLimit } from './request-limit.ts';

/** A route's limit: `config: { rateLimit }`. For an address use `ipKey(request.ip)`. */
export type FastifyRouteLimit = RequestLimit<FastifyRequest>;

declare module 'fastify' {
  interface FastifyContextConfig {
    rateLimit?: FastifyRouteLimit;
  }
}

/** Servers that this plugin limits already. */
const limitedServers = new WeakSet<object>();

/** The instance whose hooks reach every route: Fastify makes the scope of a plugin with its parent as prototype. */
function rootOf(app: FastifyInstance): FastifyInstance {
  let root = app;
  for (;;) {
    const parent = Object.getPrototypeOf(root) as FastifyInstance | null;
    if (typeof parent?.addHook !== 'function') return root;
    root = parent;
  }
}

/**
 * Limits the routes that carry `config.rateLimit`, in every scope of the server, whichever scope registers it. Registering it
 * again changes nothing. Answers carry `RateLimit-Policy` and `RateLimit`;
 * denials are 429 problem+json with Retry-After, decided in `onRequest`, before the body is read: after the server's own
 * hooks and before the route's. Routes that were declared earlier are limited in the order in which this plugin and the
 * server's other `onRequest` hooks were added.
 *
 * Refuses a `trustProxy` under which clients choose their `request.ip`: `true` and open ranges at start, and a function
 * that trusts everyone at the first request, which fails with `ERR_WEIR_RATELIMIT_OPTIONS`.
 */
export function fastifyRateLimit(
  scope: FastifyInstance,
  _options: object,
  done: (error?: Error) => void,
): void {
  const app = rootOf(scope);
  if (limitedServers.has(app)) {
    done();
    return;
  }
  limitedServers.add(app);
  try {
    assertTrustProxy(trustProxyOf(app));
  } catch (error) {
    done(error as Error);
    return;
  }
  let trusted = false;
  const outcomes = new WeakMap<FastifyRequest, Outcome>();
  const limited = async (
    limit: FastifyRouteLimit,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<unknown> => {
    if (!trusted) {
      if (believesClients(request)) assertTrustProxy(true);
      trusted = true;
    }
    const outcome = await limitRequest(limit, request);
    reply.headers(outcome.headers);
    if (outcome.answered !== undefined) outcomes.set(request, outcome);
    // A Buffer: a string would get a charset parameter, which problem+json does not define.
    return outcome.refusal && reply.code(outcome.refusal.status).send(outcome.refusal.body);
  };
  const answered = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    await outcomes.get(request)?.answered?.(reply.statusCode);
  };
  /** Limits of routes that `onRoute` has reported. */
  const hooked = new WeakSet<FastifyRouteLimit>();
  app.addHook('onRoute', (route) => {
    const config: FastifyContextConfig | undefined = route.config;
    const limit = config?.rateLimit;
    if (limit === undefined) return;
    checkRequestLimit(limit, `config.rateLimit of ${String(route.method)} ${route.url}`);
    // A limit object of its own for each route: others may give the same one to a route that was declared earlier.
    const own = { ...limit };
    hooked.add(own);
    route.config = { ...config, rateLimit: own };
    const onRequest = (request: FastifyRequest, reply: FastifyReply): Promise<unknown> =>
      limited(own, request, reply);
    route.onRequest = [onRequest].concat((route.onRequest as never) ?? []);
    if (limit.refundIf !== undefined) route.onResponse = [answered].concat((route.onResponse as never) ?? []);
  });
  // Hooks reach routes that were declared before them as well; `onRoute` alone does not.
  app.addHook('onRequest', (request, reply, next) => {
    const config: FastifyContextConfig = request.routeOptions.config;
    const limit = config?.rateLimit;
    if (limit === undefined || hooked.has(limit)) {
      next();
      return;
    }
    early(limit, request, reply).then((sent) => (sent ? undefined : next()), next);
  });
  const early = async (
    limit: FastifyRouteLimit,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<boolean> => {
    const { method, url } = request.routeOptions;
    checkRequestLimit(limit, `config.rateLimit of ${String(method)} ${url}`);
    await limited(limit, request, reply);
    if (limit.refundIf !== undefined) reply.raw.once('finish', () => void answered(request, reply));
    return reply.sent;
  };
  done();
}

/**
 * The option as given. Fastify publishes it nowhere and keeps it under a symbol; where a version names that otherwise,
 * this finds nothing and {@link believesClients} finds out at the first request.
 */
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

/** More hops than any set-up has, the farthest first. All are addresses for documentation. */
const madeUpChain: readonly string[] = Array.from({ length: 64 }, (_, hop) => `198.51.100.${hop}`);

/** Whether this server's `request.ip` is the far end of a chain that a stranger wrote. */
function believesClients(request: FastifyRequest): boolean {
  const raw = {
    headers: { 'x-forwarded-for': madeUpChain.join(', ') },
    socket: { remoteAddress: '203.0.113.1' },
    connection: { remoteAddress: '203.0.113.1' },
  };
  const stranger = Object.create(Object.getPrototypeOf(request), { raw: { value: raw } }) as FastifyRequest;
  return stranger.ip === madeUpChain[0];
}

/** Overload guard for every route: 503 problem+json, decided before the body is parsed. */
export const fastifyOverload: FastifyPluginCallback<OverloadGuard<FastifyRequest>> = (app, guard, done) => {
  const admit = admissionBy(guard, ({ url }) => url);
  app.addHook('onRequest', async (request, reply) => {
    const { allowed, permit } = await admit(request, request.raw, reply.raw);
    if (!allowed) {
      const { status, headers, body } = overloadAnswer(guard);
      return reply.code(status).headers(headers).send(body);
    }
    // Nobody is left to answer.
    if (!holdUntilAnswered(reply.raw, permit)) reply.hijack();
    return undefined;
  });
  done();
};

// Hooks must reach routes outside the plugins' own scope: this is what `fastify-plugin` sets.
for (const [plugin, name] of [
  [fastifyRateLimit, '@weir/ratelimit'],
  [fastifyOverload, '@weir/ratelimit/overload'],
] as const) {
  Object.defineProperties(plugin, {
    [Symbol.for('skip-override')]: { value: true },
    [Symbol.for('fastify.display-name')]: { value: name },
  });
}
