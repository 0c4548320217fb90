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
 * is held until the handler ends its answer.
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
    holdUntilAnswered(response, held);
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

/** How long a handler may go on after its client left before its permit is taken from it, in ms. */
const ORPHAN_MS = 10_000;

/**
 * Holds the permit until the handler ends the answer, even if the client has left: the work goes on, and to admit
 * others in its place is how a server that many callers give up on is buried.
 */
function holdUntilAnswered(response: ServerResponse, permit: Permit): void {
  const end = response.end;
  let orphan: NodeJS.Timeout | undefined;
  response.end = function ended(this: ServerResponse, ...args: unknown[]): ServerResponse {
    clearTimeout(orphan);
    permit.release(completionOf(response));
    return end.apply(this, args as never);
  } as typeof end;
  response.once('close', () => {
    if (!response.writableEnded) orphan = setTimeout(() => permit.release('ignored'), ORPHAN_MS).unref();
  });
}

/** 503 and 504 say that something behind is overloaded. */
function completionOf(response: ServerResponse): Completion {
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
