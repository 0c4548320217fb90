import type { TagVersion } from './codec/envelope.ts';
import type { Flight } from './flight.ts';
import type { TagRegistry } from './tags.ts';

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
