import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyPluginCallback } from 'fastify';
import { retryAfterSeconds } from '../headers.ts';
import { PROBLEM_TYPE, reducedCapacity } from '../problem.ts';
import type { Completion, ConcurrencyLimiter, Permit } from './concurrency-limiter.ts';
import type { LoadShedder } from './load-shedder.ts';

/** What guards a server: either or both. The shedder is asked first, since it costs nothing. */
export interface OverloadGuard {
  readonly shedder?: LoadShedder;
  readonly limiter?: ConcurrencyLimiter;
  /** The tier of a request, such as `critical` for health checks and payments. Default the second tier. */
  readonly tier?: (request: IncomingMessage) => string | undefined;
  /** Lower bound of Retry-After, in ms; clients get up to twice that. Default 1000. */
  readonly retryAfterMs?: number;
}

/**
 * Makes a guard for `node:http` and Express: resolves with false when it answered 503 problem+json itself. The permit
 * is held until the answer is out or the client is gone.
 * @example if (!(await guarded(request, response))) return;
 */
export function httpOverload(
  guard: OverloadGuard,
): (request: IncomingMessage, response: ServerResponse) => Promise<boolean> {
  return async (request, response) => {
    const tier = guard.tier?.(request);
    const options = tier === undefined ? {} : { tier };
    let permit: Permit | undefined;
    let refused = guard.shedder?.sheds(tier) === true;
    if (!refused && guard.limiter !== undefined) {
      permit = await guard.limiter.acquire(options);
      refused = permit === undefined;
    }
    if (refused) {
      refuse(response, guard.retryAfterMs ?? 1000);
      return false;
    }
    const held = permit;
    if (held === undefined) return true;
    if (response.closed || response.destroyed) {
      held.release('ignored');
      return false;
    }
    response.once('close', () => held.release(completionOf(response)));
    return true;
  };
}

/** The same as a Fastify plugin, for every route. */
export const fastifyOverload: FastifyPluginCallback<OverloadGuard> = (app, guard, done) => {
  const guarded = httpOverload(guard);
  app.addHook('onRequest', async (request, reply) => {
    if (await guarded(request.raw, reply.raw)) return;
    reply.hijack();
  });
  done();
};

// Hooks must reach routes outside this plugin's own scope: this is what `fastify-plugin` sets.
Object.defineProperty(fastifyOverload, Symbol.for('skip-override'), { value: true });

/** An answer cut short says nothing of latency; 503 and 504 say that something behind is overloaded. */
function completionOf(response: ServerResponse): Completion {
  if (!response.writableFinished) return 'ignored';
  return response.statusCode === 503 || response.statusCode === 504 ? 'dropped' : 'ok';
}

function refuse(response: ServerResponse, retryAfterMs: number): void {
  if (response.headersSent || response.destroyed) return;
  const seconds = retryAfterSeconds(retryAfterMs * (1 + Math.random()), Math.random);
  const body = Buffer.from(JSON.stringify(reducedCapacity(seconds)));
  const headers = {
    'content-type': PROBLEM_TYPE,
    'content-length': body.length,
    'retry-after': String(seconds),
  };
  response.writeHead(503, headers).end(body);
}
