import { LRUCache } from 'lru-cache';
import type { TagVersion } from './codec/envelope.ts';
import type { MemoryStore } from './stores/memory-store.ts';
import { namespaceName } from './stores/names.ts';
import type { Namespace } from './stores/namespace.ts';
import type { RedisStore } from './stores/redis-store.ts';

/** How many tags a process remembers the version of. A forgotten one is asked for again. */
const maxKnown = 10_000;

interface Known {
  readonly version: string;
  readonly epoch: number;
  /** Place in the order in which versions became known. */
  readonly order: number;
}

/**
 * Versions of tags and namespaces, issued by Redis and compared for equality only: no clock is compared with another,
 * and a version that was lost equals none. Known versions are kept while the bus is trusted, so that reads need no
 * trip for them; without Redis the versions live here alone.
 */
export class TagRegistry {
  readonly #redis: RedisStore | undefined;
  readonly #memory: MemoryStore;
  readonly #known = new LRUCache<string, Known>({ max: maxKnown });
  #learnt = 0;
  #localVersions = 0;
  /** Raised by every invalidation this process hears of, so that an answer on its way is not remembered. */
  #changes = 0;

  constructor(redis: RedisStore | undefined, memory: MemoryStore) {
    this.#redis = redis;
    this.#memory = memory;
  }

  /**
   * Versions to store with an entry; read them before its load starts. A promise only where Redis has to be asked: it
   * rejects when that fails or is not done by `until`.
   */
  versions(names: readonly string[], until?: number): readonly TagVersion[] | Promise<readonly TagVersion[]> {
    const known: TagVersion[] = [];
    for (const name of names) {
      const version = this.#redis === undefined ? this.#local(name) : this.#peek(name);
      if (version === undefined) return this.#ask(names, until);
      known.push([name, version]);
    }
    return known;
  }

  /** A moment in the order in which versions become known; for `versionsSince`. */
  get mark(): number {
    return this.#learnt;
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
      const known = this.#peek(name) === undefined ? undefined : this.#known.get(name);
      return known !== undefined && known.order <= mark;
    });
    return { versions: await this.versions(names), isWhole };
  }

  /** Whether none of the tags was invalidated since, as far as this process knows; `undefined` when it has to ask. */
  check(tags: readonly TagVersion[]): boolean | undefined {
    for (const [name, version] of tags) {
      const known = this.#peek(name);
      if (known === undefined) return undefined;
      if (known !== version) return false;
    }
    return true;
  }

  /** As `check`, asking Redis where needed. Rejects when it cannot be asked. */
  async areCurrent(tags: readonly TagVersion[], until?: number): Promise<boolean> {
    const known = this.check(tags);
    if (known !== undefined) return known;
    const versions = await this.versions(
      tags.map(([name]) => name),
      until,
    );
    return versions.every(([, version], index) => version === tags[index]?.[1]);
  }

  /** What an invalidation, ours or another's, means in this process. */
  apply(name: string): void {
    this.#changes += 1;
    this.#known.delete(name);
    if (this.#redis === undefined) this.#renew(name);
    if (name === namespaceName('*')) {
      for (const namespace of this.#memory.namespaces) this.#clear(namespace);
    } else if (name.startsWith('n')) {
      const namespace = this.#memory.find(name.slice(1));
      if (namespace !== undefined) this.#clear(namespace);
    } else {
      // Whoever reads from now on must not join a load that began before.
      for (const namespace of this.#memory.namespaces) cutTagged(namespace, name);
    }
  }

  /** Redis says that a tag's key changed, which its own making and prolonging do as well: applied only if it is new. */
  async verify(name: string): Promise<void> {
    const known = this.#known.get(name);
    if (known === undefined || this.#redis === undefined) return;
    try {
      if ((await this.#redis.peekTag(name)) === known.version) return;
    } catch {
      // Not known to be current any more: the next read asks.
      this.#known.delete(name);
      return;
    }
    if (this.#known.get(name) === known) this.apply(name);
  }

  forgetAll(): void {
    this.#changes += 1;
    this.#known.clear();
  }

  #clear(namespace: Namespace): void {
    this.#memory.clear(namespace);
    namespace.cutAll();
  }

  #peek(name: string): string | undefined {
    const known = this.#known.get(name);
    return known !== undefined && known.epoch === this.#memory.epoch ? known.version : undefined;
  }

  async #ask(names: readonly string[], until: number | undefined): Promise<readonly TagVersion[]> {
    return await Promise.all(names.map(async (name) => [name, await this.#version(name, until)] as const));
  }

  #local(name: string): string {
    return this.#peek(name) ?? this.#renew(name);
  }

  async #version(name: string, until: number | undefined): Promise<string> {
    const known = this.#peek(name);
    if (known !== undefined) return known;
    if (this.#redis === undefined) return this.#renew(name);
    const changes = this.#changes;
    const epoch = this.#memory.fillEpoch;
    const version = await this.#redis.tagVersion(name, until);
    if (changes === this.#changes) this.#learn(name, version, epoch);
    return version;
  }

  #renew(name: string): string {
    this.#localVersions += 1;
    const version = String(this.#localVersions);
    this.#learn(name, version, this.#memory.epoch);
    return version;
  }

  #learn(name: string, version: string, epoch: number): void {
    this.#learnt += 1;
    this.#known.set(name, { version, epoch, order: this.#learnt });
  }
}

function cutTagged(namespace: Namespace, name: string): void {
  for (const [key, flight] of namespace.flights) {
    if (flight.tags.includes(name)) namespace.cut(key);
  }
}
