import type { IncomingMessage, ServerResponse } from 'node:http';
import { admissionBy, type OverloadGuard, overloadAnswer } from '../overload/admission.ts';
import { holdUntilAnswered } from '../overload/hold-permit.ts';
import { checkRequestLimit, limitRequest, type RequestLimit } from './request-limit.ts';

/**
 * Makes a guard for `node:http` handlers: sets the headers, and when the request is refused answers it and resolves
 * with false. Rejects only for errors of the caller's own key function.
 * @example if (!(await limited(request, response))) return;
 */
export function httpRateLimit(
  limit: RequestLimit<IncomingMessage>,
): (request: IncomingMessage, response: ServerResponse) => Promise<boolean> {
  checkRequestLimit(limit, 'limit');
  return async (request, response) => {
    const { headers, refusal, answered } = await limitRequest(limit, request);
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    if (refusal !== undefined) {
      response.writeHead(refusal.status, { 'content-length': refusal.body.length }).end(refusal.body);
      return false;
    }
    if (answered !== undefined) response.once('finish', () => void answered(response.statusCode));
    return true;
  };
}

/**
 * Makes an overload guard for `node:http` handlers: resolves with false when it answered 503 problem+json itself, or
 * when the client left while the request waited. The permit is held until the handler ends its answer.
 * @example if (!(await guarded(request, response))) return;
 */
export function httpOverload(
  guard: OverloadGuard<IncomingMessage>,
): (request: IncomingMessage, response: ServerResponse) => Promise<boolean> {
  const admit = admissionBy(guard, ({ url }) => url);
  return async (request, response) => {
    const { allowed, permit } = await admit(request, request, response);
    if (allowed) return holdUntilAnswered(response, permit);
    const { status, headers, body } = overloadAnswer(guard);
    if (!response.headersSent && !response.destroyed)
      response.writeHead(status, { ...headers, 'content-length': body.length }).end(body);
    return false;
  };
}
