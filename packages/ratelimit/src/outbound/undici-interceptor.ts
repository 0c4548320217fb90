import type { Dispatcher } from 'undici';
import type { OutboundLimiter } from './outbound-limiter.ts';

/**
 * An undici interceptor: `new Agent().compose(outboundInterceptor(limiter))`. Requests wait for their turn, and a
 * server's `Retry-After` and `RateLimit` are honoured. A request that is aborted while it waits leaves the line at once.
 * It does not retry: compose undici's own `retry` before it.
 */
export function outboundInterceptor(limiter: OutboundLimiter): Dispatcher.DispatcherComposeInterceptor {
  return (dispatch) => (options, handler) => {
    const origin = String(options.origin);
    const controller = new WaitingController();
    const observed: Dispatcher.DispatchHandler = {
      onRequestStart: (own, context) => {
        controller.begin(own);
        if (!controller.aborted) handler.onRequestStart?.(controller, context);
      },
      onRequestUpgrade: (_, status, headers, socket) =>
        handler.onRequestUpgrade?.(controller, status, headers, socket),
      onResponseStarted: () => handler.onResponseStarted?.(),
      onBodySent: (chunk) => handler.onBodySent?.(chunk),
      onRequestSent: () => handler.onRequestSent?.(),
      onResponseStart: (_, status, headers, message) => {
        limiter.observe(origin, status, (name) => {
          const value = headers[name];
          return Array.isArray(value) ? value.join(', ') : value;
        });
        handler.onResponseStart?.(controller, status, headers, message);
      },
      onResponseData: (_, chunk) => handler.onResponseData?.(controller, chunk),
      onResponseEnd: (_, trailers) => handler.onResponseEnd?.(controller, trailers),
      onResponseError: (_, error) => {
        limiter.observe(origin, 0, () => undefined);
        handler.onResponseError?.(controller, error);
      },
    };
    // undici hands no signal on. Its callers abort by the controller of `onRequestStart`, so they get one before the turn, and
    // hear of the start again when the request begins, as they do of a redirect.
    try {
      handler.onRequestStart?.(controller, null);
    } catch (error) {
      controller.abort(error as Error);
    }
    limiter
      .turn(origin, { signal: controller.signal })
      .then(() => void dispatch(options, observed))
      .catch((error: Error) => handler.onResponseError?.(controller, error));
    return true;
  };
}

type RawFields = Exclude<Dispatcher.DispatchController['rawHeaders'], undefined>;

/** Aborts the wait for a turn, and from then on the request itself. */
class WaitingController implements Dispatcher.DispatchController {
  readonly #wait = new AbortController();
  #request: Dispatcher.DispatchController | undefined;
  #isPaused = false;

  get signal(): AbortSignal {
    return this.#wait.signal;
  }

  get aborted(): boolean {
    return this.#wait.signal.aborted || (this.#request?.aborted ?? false);
  }

  get reason(): Error | null {
    return this.aborted ? (this.#request?.reason ?? (this.#wait.signal.reason as Error)) : null;
  }

  get paused(): boolean {
    return this.#isPaused;
  }

  get rawHeaders(): RawFields {
    return this.#request?.rawHeaders ?? null;
  }

  get rawTrailers(): RawFields {
    return this.#request?.rawTrailers ?? null;
  }

  /** The turn has come: whatever was asked of this controller meanwhile is asked of the request's own. */
  begin(request: Dispatcher.DispatchController): void {
    this.#request = request;
    if (this.#wait.signal.aborted) request.abort(this.#wait.signal.reason as Error);
    else if (this.#isPaused) request.pause();
  }

  abort(reason: Error): void {
    this.#wait.abort(reason);
    this.#request?.abort(reason);
  }

  pause(): void {
    this.#isPaused = true;
    this.#request?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#request?.resume();
  }
}
