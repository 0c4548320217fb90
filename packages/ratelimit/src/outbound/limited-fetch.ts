import type { OutboundLimiter } from './outbound-limiter.ts';

/** Options of {@link limitedFetch}. */
export interface LimitedFetchOptions {
  /** Tries in all, for 429 and 503 answers to requests that may be repeated. Default 3. */
  readonly attempts?: number;
  /** Default the global `fetch`. */
  readonly fetch?: typeof fetch;
}

/**
 * A `fetch` that waits for its turn, leaves a server alone for as long as it asks, and retries 429 and 503 within the
 * limiter's retry budget. Only GET, HEAD, OPTIONS, PUT and DELETE without a stream as body are repeated. Rejects with
 * `ERR_WEIR_RATELIMIT_OVERLOADED` for what was not sent.
 */
export function limitedFetch(limiter: OutboundLimiter, options: LimitedFetchOptions = {}): typeof fetch {
  const { attempts = 3, fetch: send = globalThis.fetch } = options;
  return async (input, init) => {
    const request = input instanceof Request ? input : undefined;
    const { origin } = new URL(request?.url ?? String(input));
    const signal = init?.signal ?? request?.signal;
    const method = (init?.method ?? request?.method ?? 'GET').toUpperCase();
    const repeatable = isRepeatable(method, init?.body ?? request?.body);
    await limiter.turn(origin, { signal });
    for (let attempt = 1; ; attempt++) {
      const response = await send(input, init).catch((error: unknown) => {
        limiter.observe(origin, 0, () => undefined);
        throw error;
      });
      limiter.observe(origin, response.status, (name) => response.headers.get(name));
      const again = repeatable && attempt < attempts && (response.status === 429 || response.status === 503);
      if (!again || !limiter.mayRetry()) return response;
      // A retry that gets no turn leaves the caller with the answer there is.
      const mayGo = await limiter.turn(origin, { signal }).then(
        () => true,
        () => false,
      );
      if (!mayGo) return response;
      await response.body?.cancel();
    }
  };
}

function isRepeatable(method: string, body: unknown): boolean {
  if (!['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'].includes(method)) return false;
  return body === undefined || body === null || typeof body === 'string' || body instanceof Uint8Array;
}
