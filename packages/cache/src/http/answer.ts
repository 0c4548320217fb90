import type { Served } from './response-cache.ts';
import type { HeaderFields } from './storability.ts';
import { isNotModified } from './stored-response.ts';

/** A response ready to be written. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: Buffer | undefined;
}

// RFC 9110 §15.4.5: what a 304 must repeat, and what guides cache updates.
const validators = ['cache-control', 'content-location', 'date', 'etag', 'expires', 'last-modified', 'vary'];

/** The answer to one client from a stored response: whole, headers only, or 304; with Age and Cache-Status. */
export function answerFrom(
  { ageSeconds, response, status }: Served,
  request: { readonly method: string; readonly headers: HeaderFields },
): Answer {
  const isKnown = response.status === 200 && isNotModified(request.headers, response.headers);
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(response.headers)) {
    if (isKnown && !validators.includes(name)) continue;
    headers[name] = typeof value === 'string' ? value : [...value];
  }
  // RFC 9111 §5.1; RFC 9211
  headers.age = String(ageSeconds);
  headers['cache-status'] = status;
  if (isKnown) return { status: 304, headers, body: undefined };
  headers['content-length'] = String(response.body.length);
  return { status: response.status, headers, body: request.method === 'HEAD' ? undefined : response.body };
}
