import { fieldOf, type HeaderFields } from './fields.ts';
import type { StoredResponse } from './stored-response.ts';

/**
 * Whether the client already has this response (RFC 9110 §13.1.2, §13.1.3, §13.2.2): If-None-Match by weak comparison;
 * If-Modified-Since only without it.
 */
export function isNotModified(request: HeaderFields, response: HeaderFields): boolean {
  const known = fieldOf(request, 'if-none-match');
  if (known !== undefined) {
    if (known.trim() === '*') return true;
    const etag = fieldOf(response, 'etag')?.replace(/^W\//, '');
    return etag !== undefined && [...known.matchAll(/(?:W\/)?("[^"]*")/g)].some((match) => match[1] === etag);
  }
  const since = Date.parse(fieldOf(request, 'if-modified-since') ?? '');
  // RFC 9111 §4.3.2: without Last-Modified the Date counts.
  const modified = Date.parse(fieldOf(response, 'last-modified') ?? fieldOf(response, 'date') ?? '');
  return since >= modified;
}

/** Fields to set on a request before it goes to the handler; `undefined` removes one. */
export type ForwardedFields = Readonly<Record<'if-none-match' | 'if-modified-since', string | undefined>>;

/**
 * The client's preconditions are answered by this cache (RFC 9111 §4.3.2), so the handler is not shown them. If a stored
 * response has the handler's own validators, it is asked about those instead (§4.3.1): 304 spares it the body.
 */
export function forwardedPreconditions(stored: StoredResponse | undefined): ForwardedFields {
  const isAsked = stored?.isValidatable === true && stored.status === 200;
  return {
    'if-none-match': isAsked ? fieldOf(stored.headers, 'etag') : undefined,
    'if-modified-since': isAsked ? fieldOf(stored.headers, 'last-modified') : undefined,
  };
}
