import type { IncomingMessage } from 'node:http';
import type { Request, RequestHandler } from 'express';
import { assertTrustProxy } from '../keys/client-ip.ts';
import { httpRateLimit } from './node-http.ts';
import type { RequestLimit } from './request-limit.ts';

/**
 * Middleware for Express 4 and 5. For an address use `ipKey(request.ip)`; under `trust proxy: true`, where clients
 * choose their own, every request fails with `ERR_WEIR_RATELIMIT_OPTIONS`.
 */
export function expressRateLimit(limit: RequestLimit<Request>): RequestHandler {
  const limited = httpRateLimit(limit as unknown as RequestLimit<IncomingMessage>);
  return (request, response, next) => {
    try {
      assertTrustProxy(request.app.get('trust proxy'));
    } catch (error) {
      next(error);
      return;
    }
    limited(request, response).then((allowed) => (allowed ? next() : undefined), next);
  };
}
