import { invalidOption } from './errors.ts';
import { nameTags } from './stores/names.ts';

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
  /**
   * Gives this one value another ttl in milliseconds, read off what was loaded. 0 or less does not cache it, `Infinity` keeps
   * it until it is evicted. Wins over `negativeTtlMs`. Throws for what is no number, `NaN` included.
   */
  setTtl(ttlMs: number): void;
  /**
   * Puts this one value under more tags, read off what was loaded. From the call on, an invalidation of one of them makes what
   * this load brings invalid. Resolves with `true` when that holds for the whole load, from its beginning; with `false`
   * when this process knew nothing of a tag before: then an invalidation may have slipped in between the load's own read and this call,
   * and whoever minds reads again. Never rejects because of Redis.
   */
  tags(tags: readonly string[]): Promise<boolean>;
  /** Hands the value to the callers that wait, and caches it nowhere. */
  skipCache(): void;
}

export function createLoadContext(
  key: string,
  signal: AbortSignal,
  stale: unknown,
  decisions: LoadDecisions,
  addTags: (names: readonly string[]) => Promise<boolean>,
): LoadContext {
  return {
    key,
    signal,
    stale,
    setTtl(ttlMs) {
      if (typeof ttlMs !== 'number' || Number.isNaN(ttlMs)) {
        const repair = 'Call `setTtl` only where the loaded value says how long it lives.';
        throw invalidOption('setTtl(ttlMs)', 'a number of milliseconds', ttlMs, repair);
      }
      decisions.ttlMs = ttlMs;
    },
    async tags(tags) {
      return await addTags(nameTags(tags));
    },
    skipCache() {
      decisions.isSkipped = true;
    },
  };
}
