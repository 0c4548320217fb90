import type { IncomingMessage } from 'node:http';
import type { Request, RequestHandler } from 'express';
import { assertTrustProxy } from '../keys/client-ip.ts';
import { admissionBy, type OverloadGuard, overloadAnswer } from '../overload/admission.ts';
import { holdUntilAnswered } from '../overload/hold-permit.ts';
import { httpRateLimit } from './node-http.ts';
import type { RequestLimit } from './request-limit.ts';

/** Addresses for documentation, which nobody's proxies have, and a hop farther off than any proxy. */
const strangerAddresses = ['198.51.100.1', '203.0.113.1'];
const farHop = 64;

/**
 * Middleware for Express 4 and 5. For an address use `ipKey(request.ip)`; under a `trust proxy` that trusts everyone,
 * where clients choose their own, every request fails with `ERR_WEIR_RATELIMIT_OPTIONS`.
 */
export function expressRateLimit(limit: RequestLimit<Request>): RequestHandler {
  const limited = httpRateLimit(limit as unknown as RequestLimit<IncomingMessage>);
  return (request, response, next) => {
    try {
      assertTrustProxy(request.app.get('trust proxy'));
      // What Express made of the setting: it may be a function, or ranges that together hold everyone.
      const trusts: unknown = request.app.get('trust proxy fn');
      if (
        typeof trusts === 'function' &&
        strangerAddresses.every((address) => trusts(address, farHop) === true)
      )
        assertTrustProxy(true);
    } catch (error) {
      next(error);
      return;
    }
    limited(request, response).then((allowed) => (allowed ? next() : undefined), next);
  };
}

/** Overload guard for Express 4 and 5: 503 problem+json. `exempt` paths are those of `request.originalUrl`. */
export function expressOverload(guard: OverloadGuard<Request>): RequestHandler {
  const admit = admissionBy(guard, ({ originalUrl }) => originalUrl);
  return (request, response, next) => {
    admit(request, request, response).then(({ allowed, permit }) => {
      if (!allowed) {
        const { status, headers, body } = overloadAnswer(guard);
        response.status(status).set(headers).end(body);
      } else if (holdUntilAnswered(response, permit)) next();
    }, next);
  };
}
