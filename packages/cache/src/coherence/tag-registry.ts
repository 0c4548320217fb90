import type { Clock } from '@weir/redis';
import type { MemoryStore, Namespace } from '../memory/memory-store.ts';
import type { TagState, TagTable } from '../memory/tag-table.ts';
import { namespaceName } from '../names.ts';
import { maxTagsAtOnce, type RedisTags, slicesOf } from '../redis/redis-tags.ts';
import type { TagVersion } from '../values/envelope.ts';

/** How long Redis keeps a tag at least. It keeps one longer whose entries live longer. */
const tagLifeMs = 7 * 24 * 3_600_000;
/** A life beyond this, 100 years, is one without end. */
const endlessMs = 100 * 365 * 24 * 3_600_000;
/** How often Redis is told which tags are in use, and of how many at most. A full Redis may evict an idle one within a second. */
const useMs = 100;
const maxUsed = maxTagsAtOnce;

/**
 * Versions of tags and namespaces, issued by Redis and compared for equality only: no clock is compared with another,
 * and a version that was lost equals none. Known versions are kept while the bus is trusted, so that reads need no
 * trip for them.
 *
 * Beside its version a tag has the moment of the last invalidation that this process knows of, and an L1 entry the moment as of
 * which its tags were current. An entry that is older than an invalidation is invalid, whatever Redis says or cannot say. Moments
 * count the events of this process; without Redis they decide alone.
 */
export class TagRegistry {
  readonly #redis: RedisTags | undefined;
  readonly #memory: MemoryStore;
  readonly #table: TagTable;
  readonly #clock: Clock;
  #moment = 0;
  #used: string[] = [];
  #useTimer: NodeJS.Timeout | undefined;

  constructor(redis: RedisTags | undefined, memory: MemoryStore, clock: Clock) {
    this.#redis = redis;
    this.#memory = memory;
    this.#table = memory.tags;
    this.#clock = clock;
  }

  /** A new moment, later than everything that has happened so far. */
  mark(): number {
    this.#moment += 1;
    return this.#moment;
  }

  /**
   * Versions to store with an entry, read after `asOf`, which is a mark; read them before its load starts. A promise only where
   * Redis has to be asked: it rejects when that fails or is not done by `until`.
   */
  versions(
    names: readonly string[],
    asOf: number,
    until?: number,
  ): readonly TagVersion[] | Promise<readonly TagVersion[]> {
    const known: TagVersion[] = [];
    const unknown: string[] = [];
    for (const name of names) {
      const state = this.#table.obtain(name);
      const version = this.#redis === undefined ? this.#local(state) : this.#latestOf(name);
      if (version === undefined) {
        unknown.push(name);
        continue;
      }
      this.#use(name, state);
      known.push([name, version]);
    }
    if (unknown.length === 0 || this.#redis === undefined) return known;
    return this.#ask(this.#redis, unknown, asOf, until).then(
      (asked) => [...known, ...asked],
      (error: unknown) => {
        const latest = unknown.map((name) => [name, this.#latestOf(name)] as const);
        if (!latest.every(isVersion)) throw error;
        return [...known, ...latest];
      },
    );
  }

  /**
   * Versions of tags that a load finds out about while it runs. `isWhole`: each was known at `mark`, before the load began, and
   * has not changed as far as this process was told; what it was not told of yet makes the version wrong, hence the entry invalid.
   */
  async versionsSince(
    mark: number,
    names: readonly string[],
  ): Promise<{ readonly versions: readonly TagVersion[]; readonly isWhole: boolean }> {
    const isWhole = names.every((name) => {
      const state = this.#table.find(name);
      if (state === undefined || state.learntAt === 0 || state.learntAt > mark) return false;
      return state.changedAt <= mark && (this.#redis === undefined || this.#versionOf(state) !== undefined);
    });
    return { versions: await this.versions(names, this.mark()), isWhole };
  }

  /**
   * Whether none of the tags was invalidated since `asOf`, as far as this process knows; `undefined` when only Redis can tell
   * whether another process did.
   */
  check(tags: readonly TagVersion[], asOf: number): boolean | undefined {
    let isKnown = true;
    for (const [name, version] of tags) {
      const state = this.#table.find(name);
      if (state === undefined) {
        isKnown = false;
        continue;
      }
      if (state.changedAt > asOf) return false;
      if (this.#redis === undefined) continue;
      const known = this.#versionOf(state);
      if (known === undefined) isKnown &&= this.#latestOf(name) === version;
      else if (known !== version) return false;
      this.#use(name, state);
    }
    return isKnown ? true : undefined;
  }

  /**
   * As `check`, asking Redis where needed; a tag that Redis does not have is not made. Rejects when Redis cannot be asked by
   * `until`.
   */
  async areCurrent(tags: readonly TagVersion[], asOf: number, until?: number): Promise<boolean> {
    const known = this.check(tags, asOf);
    if (known !== undefined || this.#redis === undefined) return known !== false;
    const epoch = this.#memory.fillEpoch;
    const isLatest = ([name, version]: TagVersion) => this.#latestOf(name) === version;
    // Whoever can write to Redis decides how many they are: the first slice that is not current ends it.
    for (const slice of slicesOf(tags.filter((tag) => !isLatest(tag)))) {
      const states = slice.map(([name]) => this.#table.obtain(name));
      const names = slice.map(([name]) => name);
      let versions: readonly string[];
      try {
        versions = await this.#redis.peek(names, until);
      } catch (error) {
        // The failure may be the one that shows that a node is lost.
        if (slice.every(isLatest)) continue;
        throw error;
      }
      for (const [index, [, version]] of slice.entries()) {
        if (versions[index] === '' || versions[index] !== version) return false;
        this.#learn(states[index] as TagState, version, epoch, asOf);
      }
    }
    return true;
  }

  /**
   * Learns the versions of all namespaces, in the background, where one node of several may be lost: each covers entries on all of
   * them (`#latestOf`).
   */
  learnNamespaces(): void {
    if (this.#redis?.isSpread !== true) return;
    const names = Array.from(this.#memory.namespaces, ({ name }) => namespaceName(name));
    this.#ask(this.#redis, [namespaceName('*'), ...names], this.mark(), undefined).catch(() => {
      // Counted and published by the gate. The first read asks again.
    });
  }

  /**
   * Makes Redis keep the tags of an entry for as long as the entry itself, `lifeMs` from now. In the background; seldom asks
   * Redis. When that fails, the entry becomes invalid with its tags.
   */
  keep(tags: readonly TagVersion[], lifeMs: number): void {
    if (this.#redis === undefined) return;
    const until = this.#clock.now() + lifeMs;
    const short = tags.filter(([name]) => (this.#table.find(name)?.livesUntil ?? until) < until);
    if (short.length === 0) return;
    const names = short.map(([name]) => name);
    // Twice what Redis guarantees for a life that is asked for, so that the next entry does not ask again.
    this.#ask(this.#redis, names, this.mark(), undefined, 4 * lifeMs).catch(() => {
      // Counted and published by `RedisCommands`.
    });
  }

  /** What invalidations, ours or another's, mean in this process. */
  apply(names: readonly string[]): void {
    const changedAt = this.mark();
    const tags = new Set<string>();
    for (const name of names) {
      const state = this.#table.find(name);
      if (state !== undefined) {
        state.changedAt = changedAt;
        state.version = undefined;
        state.livesUntil = Number.NEGATIVE_INFINITY;
      }
      if (name === namespaceName('*')) {
        for (const namespace of this.#memory.namespaces) this.#clear(namespace);
      } else if (name.startsWith('n')) {
        const namespace = this.#memory.find(name.slice(1));
        if (namespace !== undefined) this.#clear(namespace);
      } else {
        tags.add(name);
      }
    }
    if (tags.size === 0) return;
    // Whoever reads from now on must not join a load that began before.
    for (const namespace of this.#memory.namespaces) cutTagged(namespace, tags);
  }

  /** Redis says that tags' keys changed, which their own making and prolonging do as well: applied where they are new. */
  async verify(names: readonly string[]): Promise<void> {
    if (this.#redis === undefined) return;
    for (const slice of slicesOf(names.filter((name) => this.#table.find(name)?.version !== undefined))) {
      const known = slice.map((name) => this.#table.find(name)?.version);
      const isSame = (name: string, index: number) => this.#table.find(name)?.version === known[index];
      try {
        const versions = await this.#redis.peek(slice);
        const changed = slice.filter(
          (name, index) => versions[index] !== known[index] && isSame(name, index),
        );
        if (changed.length > 0) this.apply(changed);
      } catch {
        // Not known to be current any more: the next read asks.
        for (const [index, name] of slice.entries()) {
          const state = this.#table.find(name);
          if (state !== undefined && isSame(name, index)) state.version = undefined;
        }
      }
    }
  }

  /** A database of this server was flushed, perhaps another one than ours: resolves with whether it was ours. */
  async wasFlushed(): Promise<boolean> {
    const everything = namespaceName('*');
    const known = this.#table.find(everything)?.version;
    if (known === undefined || this.#redis === undefined) return true;
    const [version] = await this.#redis.peek([everything]);
    return version !== known;
  }

  forgetVersions(): void {
    this.#table.forgetVersions();
  }

  close(): void {
    clearTimeout(this.#useTimer);
    this.#used = [];
  }

  #clear(namespace: Namespace): void {
    this.#memory.clear(namespace);
    namespace.cutAll();
  }

  // Moments tell all there is to know in one process.
  #local(state: TagState): string {
    if (state.learntAt === 0) state.learntAt = this.mark();
    return '';
  }

  #versionOf({ epoch, version }: TagState): string | undefined {
    return epoch === this.#memory.epoch ? version : undefined;
  }

  /**
   * As `#versionOf`; of a tag whose cluster node cannot be reached, what this process knew last. Nobody can tell more, so that it
   * counts as a value in memory does then: otherwise one dead node would make every entry of a namespace a miss.
   */
  #latestOf(name: string): string | undefined {
    const state = this.#table.find(name);
    if (state?.version === undefined) return undefined;
    const known = this.#versionOf(state);
    if (known !== undefined) return known;
    return this.#redis?.isSpread && !this.#redis.canAsk(name) ? state.version : undefined;
  }

  async #ask(
    redis: RedisTags,
    names: readonly string[],
    asOf: number,
    until: number | undefined,
    wantedLifeMs: number = tagLifeMs,
  ): Promise<readonly TagVersion[]> {
    const lifeMs = wantedLifeMs > endlessMs ? Number.POSITIVE_INFINITY : Math.max(wantedLifeMs, tagLifeMs);
    const all: TagVersion[] = [];
    for (const slice of slicesOf(names)) {
      const states = slice.map((name) => this.#table.obtain(name));
      const epoch = this.#memory.fillEpoch;
      const livesUntil = this.#clock.now() + lifeMs / 2;
      const versions = await redis.versions(slice, lifeMs, until);
      for (const [index, name] of slice.entries()) {
        const state = states[index] as TagState;
        const version = versions[index] as string;
        this.#learn(state, version, epoch, asOf);
        if (state.version === version) state.livesUntil = Math.max(state.livesUntil, livesUntil);
        all.push([name, version]);
      }
    }
    return all;
  }

  /** A version that was asked for after `asOf`. */
  #learn(state: TagState, version: string, epoch: number, asOf: number): void {
    // It may be the one from before an invalidation that came while it was asked for.
    if (state.changedAt > asOf) return;
    if (state.version !== undefined && state.version !== version) {
      state.changedAt = asOf;
      state.livesUntil = Number.NEGATIVE_INFINITY;
    }
    state.version = version;
    state.epoch = epoch;
    state.learntAt = this.mark();
  }

  // A full Redis evicts what it was not asked for in a while, but the versions of tags in use are known here and never asked for.
  #use(name: string, state: TagState): void {
    if (state.isUsed || this.#redis === undefined || this.#used.length >= maxUsed) return;
    state.isUsed = true;
    this.#used.push(name);
    this.#useTimer ??= setTimeout(() => this.#tellUse(), useMs).unref();
  }

  #tellUse(): void {
    this.#useTimer = undefined;
    const names = this.#used;
    this.#used = [];
    for (const name of names) {
      const state = this.#table.find(name);
      if (state !== undefined) state.isUsed = false;
    }
    for (const slice of slicesOf(names)) {
      this.#redis?.touch(slice).catch(() => {
        // Counted and published by `RedisCommands`.
      });
    }
  }
}

function isVersion(pair: readonly [name: string, version: string | undefined]): pair is TagVersion {
  return pair[1] !== undefined;
}

function cutTagged(namespace: Namespace, names: ReadonlySet<string>): void {
  for (const [key, flight] of namespace.flights) {
    if (flight.tags.some((name) => names.has(name))) namespace.cut(key);
  }
}
