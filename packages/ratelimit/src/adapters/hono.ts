import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Context, MiddlewareHandler } from 'hono';
import { admissionBy, type OverloadGuard, overloadAnswer } from '../overload/admission.ts';
import { completionOf, pauseWhileStalled } from '../overload/hold-permit.ts';
import { checkRequestLimit, limitRequest, type RequestLimit } from './request-limit.ts';

/**
 * Middleware for Hono on any runtime whose key function can tell clients apart. On Node `refundIf` gets the status that the
 * client gets; on other runtimes, which do not show it, the status that this middleware sees: mount it outermost there.
 */
export function honoRateLimit(limit: RequestLimit<Context>): MiddlewareHandler {
  checkRequestLimit(limit, 'limit');
  return async (context, next) => {
    const { headers, refusal, answered } = await limitRequest(limit, context);
    if (refusal !== undefined)
      return new Response(new Uint8Array(refusal.body), { status: refusal.status, headers });
    const tell = answered && tellFinalStatus(answered, outgoingOf(context));
    let status = 500;
    try {
      await next();
      for (const [name, value] of Object.entries(headers)) context.header(name, value);
      status = context.res.status;
    } finally {
      await tell?.(status);
    }
    return undefined;
  };
}

/**
 * Calls `answered` once: with the status that Node sends, which a middleware outside may change, or, for an answer that is
 * never sent, with the one given here.
 */
function tellFinalStatus(
  answered: (status: number) => Promise<void>,
  outgoing: ServerResponse | undefined,
): (status: number) => Promise<void> {
  if (outgoing === undefined) return answered;
  let isTold = false;
  const tell = async (status: number): Promise<void> => {
    if (isTold) return;
    isTold = true;
    await answered(status);
  };
  outgoing.once('finish', () => void tell(outgoing.statusCode));
  return async (status) => {
    if (outgoing.destroyed) await tell(status);
    else outgoing.once('close', () => void tell(status));
  };
}

/** Of @hono/node-server. */
function outgoingOf(context: Context): ServerResponse | undefined {
  return (context.env as { outgoing?: ServerResponse } | undefined)?.outgoing;
}

/** Overload guard for Hono: 503 problem+json. The permit is held until the answer is made; a stream then goes on without it. */
export function honoOverload(guard: OverloadGuard<Context>): MiddlewareHandler {
  const admit = admissionBy(guard, (context) => context.req.path);
  return async (context, next) => {
    const { incoming } = (context.env ?? {}) as { incoming?: IncomingMessage };
    const outgoing = outgoingOf(context);
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
