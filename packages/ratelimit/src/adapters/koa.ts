import type { Context, Middleware } from 'koa';
import { checkRequestLimit, limitRequest, type RequestLimit } from './request-limit.ts';

/** Middleware for Koa. With `app.proxy` Koa's `ctx.ip` is the client's own word: use `clientIpKey` on `ctx.req`. */
export function koaRateLimit(limit: RequestLimit<Context>): Middleware {
  checkRequestLimit(limit, 'limit');
  return async (context, next) => {
    const { headers, refusal, answered } = await limitRequest(limit, context as Context);
    context.set(headers);
    if (refusal !== undefined) {
      context.status = refusal.status;
      context.body = refusal.body;
      // Koa gives a Buffer body a type of its own.
      context.set('content-type', headers['content-type'] as string);
      return;
    }
    if (answered === undefined) {
      await next();
      return;
    }
    let status = 500;
    try {
      await next();
      status = context.status;
    } finally {
      await answered(status);
    }
  };
}
