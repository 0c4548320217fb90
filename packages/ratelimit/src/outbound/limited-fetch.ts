import type { Dispatcher } from 'undici';
import { RateLimitError, shown } from '../errors.ts';
import { type OutboundLimiter, pause } from './outbound-limiter.ts';

const maxBackoffMs = 10_000;

/** Options of {@link limitedFetch}. */
export interface LimitedFetchOptions {
  /** Tries in all, for 429 and 503 answers to requests that may be repeated. @defaultValue 3 */
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
 */
export function limitedFetch(limiter: OutboundLimiter, options: LimitedFetchOptions = {}): typeof fetch {
  const { attempts = 3, backoffMs = 100, fetch: send = globalThis.fetch, random = Math.random } = options;
  if (!(backoffMs > 0 && backoffMs <= maxBackoffMs))
    throw new RateLimitError(
      'ERR_WEIR_RATELIMIT_OPTIONS',
      `Expected \`backoffMs\` to be above 0 and at most ${maxBackoffMs}, got ${shown(backoffMs)}. Use \`attempts: 1\` for no retries.`,
    );
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

/**
 * An undici interceptor: `new Agent().compose(outboundInterceptor(limiter))`. Requests wait for their turn, and a
 * server's `Retry-After` and `RateLimit` are honoured. It does not retry: compose undici's own `retry` before it.
 */
export function outboundInterceptor(limiter: OutboundLimiter): Dispatcher.DispatcherComposeInterceptor {
  return (dispatch) => (options, handler) => {
    const origin = String(options.origin);
    const observed: Dispatcher.DispatchHandler = {
      onRequestStart: (controller, context) => handler.onRequestStart?.(controller, context),
      onRequestUpgrade: (controller, status, headers, socket) =>
        handler.onRequestUpgrade?.(controller, status, headers, socket),
      onResponseStart: (controller, status, headers, message) => {
        limiter.observe(origin, status, (name) => {
          const value = headers[name];
          return Array.isArray(value) ? value.join(', ') : value;
        });
        handler.onResponseStart?.(controller, status, headers, message);
      },
      onResponseData: (controller, chunk) => handler.onResponseData?.(controller, chunk),
      onResponseEnd: (controller, trailers) => handler.onResponseEnd?.(controller, trailers),
      onResponseError: (controller, error) => {
        limiter.observe(origin, 0, () => undefined);
        handler.onResponseError?.(controller, error);
      },
    };
    // undici hands the caller's signal on; an emitter of `abort`, which it allows too, is looked at when the request begins.
    const { signal } = options as { signal?: unknown };
    limiter.turn(origin, { signal: signal instanceof AbortSignal ? signal : undefined }).then(
      () => void dispatch(options, observed),
      // The request never began: there is no controller yet, and handlers only pass it on.
      (error: Error) => handler.onResponseError?.(undefined as never, error),
    );
    return true;
  };
}
