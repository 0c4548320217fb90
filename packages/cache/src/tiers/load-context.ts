import type { TagRegistry } from '../coherence/tag-registry.ts';
import { invalidOption } from '../errors.ts';
import type { Flight } from '../memory/flight.ts';
import { nameTags } from '../names.ts';
import type { TagVersion } from '../values/envelope.ts';
import type { Target } from './core.ts';

/** One read: which value, and how to load it. */
export interface ReadRequest extends Target {
  readonly load: (context: LoadContext) => unknown;
  readonly signal: AbortSignal | undefined;
  /** Called when the read begins to wait for the load of another process. */
  readonly onHeld?: () => void;
}

/** What a load has set through its context. */
export interface LoadDecisions {
  ttlMs: number | undefined;
  isSkipped: boolean;
}

/** Handed to every load as its last argument. */
export interface LoadContext {
  readonly key: string;
  /** Aborts when every caller has aborted, or at `maxFlightMs`. Pass it to the calls that the load makes. */
  readonly signal: AbortSignal;
  /** The expired value that the load replaces, for a conditional request; `undefined` when there is none. */
  readonly stale: unknown;
  /**
   * Sets the ttl of this value in milliseconds. 0 or less does not cache it; `Infinity` keeps it until it is evicted. Overrides
   * `ttlMs` and `negativeTtlMs`. Throws if it is not a number, or `NaN`.
   */
  setTtl(ttlMs: number): void;
  /**
   * Adds tags to this value. An invalidation of one of them after this call makes the value invalid. Resolves with `true` if that
   * holds from the beginning of the load; with `false` if this process did not know a tag before: an invalidation between the load's own
   * read and this call may then go unnoticed, unless the load reads again. Never rejects because of Redis.
   */
  tags(tags: readonly string[]): Promise<boolean>;
  /** Returns the value to the waiting callers and does not cache it. */
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

/** The tags that one load adds while it runs, with their versions at that moment. */
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

  /** Resolves with whether every invalidation since the beginning of the load will be noticed. */
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

  /** Returns `tags` and then the added ones. Of a tag that occurs twice the earlier version counts. */
  async after(tags: readonly TagVersion[]): Promise<readonly TagVersion[]> {
    const all = new Map<string, TagVersion>();
    for (const version of [...tags, ...(await Promise.all(this.#lookups)).flat()]) {
      if (!all.has(version[0])) all.set(version[0], version);
    }
    return [...all.values()];
  }
}
