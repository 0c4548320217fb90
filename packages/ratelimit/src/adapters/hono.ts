import type { Context, MiddlewareHandler } from 'hono';
import { checkRequestLimit, limitRequest, type RequestLimit } from './request-limit.ts';

/** Middleware for Hono on any runtime whose key function can tell clients apart. */
export function honoRateLimit(limit: RequestLimit<Context>): MiddlewareHandler {
  checkRequestLimit(limit, 'limit');
  return async (context, next) => {
    const { headers, refusal, answered } = await limitRequest(limit, context);
    if (refusal !== undefined)
      return new Response(new Uint8Array(refusal.body), { status: refusal.status, headers });
    await next();
    for (const [name, value] of Object.entries(headers)) context.header(name, value);
    await answered?.(context.res.status);
    return undefined;
  };
}
