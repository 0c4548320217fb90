import { RateLimitError, shown } from '../errors.ts';
import { type OutboundLimiter, pause } from './outbound-limiter.ts';

const maxBackoffMs = 10_000;
const maxAttempts = 100;

/** Options of {@link limitedFetch}. */
export interface LimitedFetchOptions {
  /** Tries in all, 1 to 100, for 429 and 503 answers to requests that may be repeated. 1: no retries. @defaultValue 3 */
  readonly attempts?: number;
  /**
   * The pause before the first new try when the server asks for none, in ms; it doubles with each further one, up to ten
   * seconds, and half of it is random.
   * @defaultValue 100
   */
  readonly backoffMs?: number;
  /** [0, 1); default `Math.random`. */
  readonly random?: () => number;
  /** @defaultValue the global `fetch` */
  readonly fetch?: typeof fetch;
}

/**
 * A `fetch` that waits for its turn, leaves a server alone for as long as it asks, and retries 429 and 503 within the
 * limiter's retry budget, after the pause that the server asked for or a growing one with jitter. Only GET, HEAD, OPTIONS, PUT and DELETE without a stream as body are repeated. Rejects with
 * `ERR_WEIR_RATELIMIT_OVERLOADED` for what was not sent.
 * @throws {RateLimitError} `ERR_WEIR_RATELIMIT_OPTIONS`.
 */
export function limitedFetch(limiter: OutboundLimiter, options: LimitedFetchOptions = {}): typeof fetch {
  const { attempts = 3, backoffMs = 100, fetch: send = globalThis.fetch, random = Math.random } = options;
  if (typeof limiter?.turn !== 'function')
    throw wrong('limiter', 'an outbound limiter', limiter, 'Make it with `createOutboundLimiter`.');
  if (!(typeof backoffMs === 'number' && backoffMs > 0 && backoffMs <= maxBackoffMs))
    throw wrong(
      'backoffMs',
      `above 0 and at most ${maxBackoffMs}`,
      backoffMs,
      'Use `attempts: 1` for no retries.',
    );
  if (!(Number.isSafeInteger(attempts) && attempts >= 1 && attempts <= maxAttempts))
    throw wrong('attempts', `a whole number from 1 to ${maxAttempts}`, attempts, 'Use 1 for no retries.');
  if (typeof send !== 'function') throw wrong('fetch', 'a function', send);
  if (typeof random !== 'function') throw wrong('random', 'a function', random);
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
      const asked = limiter.observe(origin, response.status, (name) => response.headers.get(name));
      const again = repeatable && attempt < attempts && (response.status === 429 || response.status === 503);
      if (!again || !limiter.mayRetry()) return response;
      // A retry that gets no turn leaves the caller with the answer there is.
      try {
        if (asked === 0) await pause(jittered(backoffMs * 2 ** (attempt - 1), random), signal ?? undefined);
        await limiter.turn(origin, { signal });
      } catch (error) {
        if (!signal?.aborted) return response;
        await response.body?.cancel().catch(() => {});
        throw error;
      }
      await response.body?.cancel();
    }
  };
}

/** "Equal jitter" (Brooker, "Exponential Backoff and Jitter", 2015): clients that failed together come back apart. */
function jittered(ms: number, random: () => number): number {
  return (Math.min(ms, maxBackoffMs) * (1 + random())) / 2;
}

function isRepeatable(method: string, body: unknown): boolean {
  if (!['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'].includes(method)) return false;
  return body === undefined || body === null || typeof body === 'string' || body instanceof Uint8Array;
}

function wrong(option: string, expected: string, value: unknown, repair?: string): RateLimitError {
  return new RateLimitError(
    'ERR_WEIR_RATELIMIT_OPTIONS',
    [`Expected \`${option}\` to be ${expected}, got ${shown(value)}.`, repair].filter(Boolean).join(' '),
  );
}
