import type { Dispatcher } from 'undici';
import type { OutboundLimiter } from './outbound-limiter.ts';

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
