import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Context, MiddlewareHandler } from 'hono';
import { admissionBy, type OverloadGuard, overloadAnswer } from '../overload/admission.ts';
import { completionOf, pauseWhileStalled } from '../overload/hold-permit.ts';
import { checkRequestLimit, limitRequest, type RequestLimit } from './request-limit.ts';

/** Middleware for Hono on any runtime whose key function can tell clients apart. */
export function honoRateLimit(limit: RequestLimit<Context>): MiddlewareHandler {
  checkRequestLimit(limit, 'limit');
  return async (context, next) => {
    const { headers, refusal, answered } = await limitRequest(limit, context);
    if (refusal !== undefined)
      return new Response(new Uint8Array(refusal.body), { status: refusal.status, headers });
    let status = 500;
    try {
      await next();
      for (const [name, value] of Object.entries(headers)) context.header(name, value);
      status = context.res.status;
    } finally {
      await answered?.(status);
    }
    return undefined;
  };
}

/** Overload guard for Hono: 503 problem+json. The permit is held until the answer is made; a stream then goes on without it. */
export function honoOverload(guard: OverloadGuard<Context>): MiddlewareHandler {
  const admit = admissionBy(guard, (context) => context.req.path);
  return async (context, next) => {
    // Of @hono/node-server.
    const { incoming, outgoing } = (context.env ?? {}) as {
      incoming?: IncomingMessage;
      outgoing?: ServerResponse;
    };
    const { allowed, permit } = await admit(context, incoming, outgoing);
    if (!allowed) {
      const { status, headers, body } = overloadAnswer(guard);
      return new Response(new Uint8Array(body), { status, headers });
    }
    const stop = permit && outgoing && pauseWhileStalled(outgoing, permit);
    try {
      await next();
    } finally {
      stop?.();
      permit?.release(completionOf(context.res.status));
    }
    return undefined;
  };
}
