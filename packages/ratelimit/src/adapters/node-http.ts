import type { IncomingMessage, ServerResponse } from 'node:http';
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
