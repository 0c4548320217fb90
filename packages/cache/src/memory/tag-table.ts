import { LRUCache } from 'lru-cache';
import type { TagVersion } from '../values/envelope.ts';

/** How many tags that no L1 entry carries are remembered. A forgotten one is asked for again. */
const maxIdle = 10_000;

/** What a process knows of one tag. Moments are those of `TagRegistry`. */
export interface TagState {
  /** As Redis gave it; `undefined` after an invalidation, until it is asked for again. */
  version: string | undefined;
  /** The trust epoch in which `version` was asked for. */
  epoch: number;
  /** The moment at which `version` became known. */
  learntAt: number;
  /** The moment of the last invalidation that this process knows of. */
  changedAt: number;
  /** Until then Redis keeps the tag at least, on the cache's clock. */
  livesUntil: number;
  /** Whether it was used since Redis was last told so. */
  isUsed: boolean;
  /** How many L1 entries carry it. */
  carriers: number;
}

/**
 * The tags that a process knows. Those of L1 entries stay as long as their entries, so that a bound on entries is a bound on them;
 * of the others the least recently obtained are forgotten.
 */
export class TagTable {
  readonly #states = new Map<string, TagState>();
  /** Those that may be forgotten, and some that entries carry. */
  readonly #idle = new LRUCache<string, TagState>({
    max: maxIdle,
    dispose: (state, name, reason) => {
      if (reason !== 'set' && state.carriers === 0) this.#states.delete(name);
    },
  });

  find(name: string): TagState | undefined {
    return this.#states.get(name);
  }

  /** As `find`, and makes what is missing. */
  obtain(name: string): TagState {
    const found = this.#states.get(name);
    if (found !== undefined) {
      this.#idle.get(name);
      return found;
    }
    const state: TagState = {
      version: undefined,
      epoch: Number.NaN,
      learntAt: 0,
      changedAt: 0,
      livesUntil: Number.NEGATIVE_INFINITY,
      isUsed: false,
      carriers: 0,
    };
    this.#states.set(name, state);
    this.#idle.set(name, state);
    return state;
  }

  /** One more L1 entry carries the tags. */
  hold(tags: readonly TagVersion[]): void {
    for (const [name] of tags) (this.#states.get(name) ?? this.obtain(name)).carriers += 1;
  }

  /** One L1 entry less carries the tags. */
  letGo(tags: readonly TagVersion[]): void {
    for (const [name] of tags) {
      const state = this.#states.get(name);
      if (state === undefined) continue;
      state.carriers -= 1;
      if (state.carriers === 0) this.#idle.set(name, state);
    }
  }

  /** Forgets the versions of all tags, and the tags that no entry carries. */
  forgetVersions(): void {
    this.#idle.clear();
    for (const state of this.#states.values()) state.version = undefined;
  }
}
