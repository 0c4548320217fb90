import type { Context, Middleware } from 'koa';
import { assertTrustProxy } from '../keys/client-ip.ts';
import { admissionBy, type OverloadGuard, overloadAnswer } from '../overload/admission.ts';
import { holdUntilAnswered } from '../overload/hold-permit.ts';
import { checkRequestLimit, limitRequest, type RequestLimit } from './request-limit.ts';

/**
 * Middleware for Koa. For an address use `ipKey(ctx.ip)`, or `clientIpKey` on `ctx.req`. Under `app.proxy` without
 * `maxIpsCount`, where `ctx.ip` is the client's own word, every request fails with `ERR_WEIR_RATELIMIT_OPTIONS`.
 */
export function koaRateLimit(limit: RequestLimit<Context>): Middleware {
  checkRequestLimit(limit, 'limit');
  return async (context, next) => {
    const { app } = context;
    if (app.proxy && app.maxIpsCount === 0) assertTrustProxy(true);
    const { headers, refusal, answered } = await limitRequest(limit, context as Context);
    context.set(headers);
    if (refusal !== undefined) {
      context.status = refusal.status;
      context.body = refusal.body;
      // Koa gives a Buffer body a type of its own.
      context.set('content-type', headers['content-type'] as string);
      return;
    }
    // Koa, an error handler outside or a stream may still change the status: it is final with the answer.
    if (answered !== undefined) context.res.once('finish', () => void answered(context.res.statusCode));
    await next();
  };
}

/** Overload guard for Koa: 503 problem+json. */
export function koaOverload(guard: OverloadGuard<Context>): Middleware {
  const admit = admissionBy(guard, ({ originalUrl }) => originalUrl);
  return async (context, next) => {
    const { allowed, permit } = await admit(context as Context, context.req, context.res);
    if (allowed) {
      if (holdUntilAnswered(context.res, permit)) await next();
      return;
    }
    const { status, headers, body } = overloadAnswer(guard);
    context.status = status;
    context.body = body;
    context.set(headers);
  };
}
