/** What a load decided about its own value. */
export interface LoadDecisions {
  ttlMs: number | undefined;
  isSkipped: boolean;
}

/** Handed to every load as its last argument. */
export interface LoadContext {
  readonly key: string;
  /** Aborts when every caller has aborted, or at `maxFlightMs`. Pass it on to whatever the load waits for. */
  readonly signal: AbortSignal;
  /** The expired value that the load replaces, for a conditional request; `undefined` when there is none. */
  readonly stale: unknown;
  /** Gives this one value another ttl in milliseconds, read off what was loaded. 0 does not cache it. Wins over `negativeTtlMs`. */
  setTtl(ttlMs: number): void;
  /** Hands the value to the callers that wait, and caches it nowhere. */
  skipCache(): void;
}

export function createLoadContext(
  key: string,
  signal: AbortSignal,
  stale: unknown,
  decisions: LoadDecisions,
): LoadContext {
  return {
    key,
    signal,
    stale,
    setTtl(ttlMs) {
      decisions.ttlMs = ttlMs;
    },
    skipCache() {
      decisions.isSkipped = true;
    },
  };
}
