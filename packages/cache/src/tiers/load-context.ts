import type { TagRegistry } from '../coherence/tag-registry.ts';
import { invalidOption } from '../errors.ts';
import type { Flight } from '../memory/flight.ts';
import { nameTags } from '../names.ts';
import type { TagVersion } from '../values/envelope.ts';
import type { Target } from './core.ts';

/** One read with the means to answer it. */
export interface ReadRequest extends Target {
  readonly load: (context: LoadContext) => unknown;
  readonly signal: AbortSignal | undefined;
  /** Called when the read starts to wait for another process. */
  readonly onHeld?: () => void;
}

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

/** Equal to no version: what was loaded without knowing its tags is checked as soon as they can be read. */
export const unknownVersion = '';

/** The tags that one load finds out about while it runs, with the versions they had when it named them. */
export class FoundTags {
  readonly #registry: TagRegistry;
  readonly #flight: Flight;
  readonly #mark: number;
  readonly #lookups: Promise<readonly TagVersion[]>[] = [];

  /** `mark`: the registry's, from before the load began. */
  constructor(registry: TagRegistry, flight: Flight, mark: number) {
    this.#registry = registry;
    this.#flight = flight;
    this.#mark = mark;
  }

  get isEmpty(): boolean {
    return this.#lookups.length === 0;
  }

  /** Resolves with whether an invalidation since the beginning of the load is sure to be seen. */
  async add(names: readonly string[]): Promise<boolean> {
    // Before anything is awaited: an invalidation that comes now cuts the flight.
    this.#flight.tags = [...this.#flight.tags, ...names];
    const lookup = this.#registry.versionsSince(this.#mark, names).catch(() => ({
      versions: names.map((name) => [name, unknownVersion] as const),
      isWhole: false,
    }));
    this.#lookups.push(lookup.then(({ versions }) => versions));
    return (await lookup).isWhole;
  }

  /** All of them behind the tags known before; of one that was named twice the earlier version counts. */
  async after(tags: readonly TagVersion[]): Promise<readonly TagVersion[]> {
    const all = new Map<string, TagVersion>();
    for (const version of [...tags, ...(await Promise.all(this.#lookups)).flat()]) {
      if (!all.has(version[0])) all.set(version[0], version);
    }
    return [...all.values()];
  }
}
