import type { Announcement } from '../coherence/coherence.ts';
import { type Change, changeMessage } from '../coherence/messages.ts';
import { CacheError } from '../errors.ts';
import type { KeyChange } from '../memory/fences.ts';
import type { Namespace } from '../memory/memory-store.ts';
import { busKey } from '../names.ts';
import { type Policy, ttlOf } from '../policy.ts';
import type { RedisStore } from '../redis/redis-store.ts';
import { slicesOf } from '../redis/redis-tags.ts';
import { type Body, bodyNow, encodeBody, type TagVersion } from '../values/envelope.ts';
import { applySchema, keep } from '../values/value.ts';
import type { Core, Target } from './core.ts';
import { coveringNames, fieldsOfNew, payloadOfNew } from './entry-fields.ts';
import { warnUnsupported } from './loader.ts';

/** Thrown inside a `set` when a later change of its key came first. */
const superseded = new Error('A later change of the key came first.');

/**
 * The place of a set in the order of changes, taken when it begins: invalidations, clears and changes of its key that come while it
 * waits for its schema or for Redis come after it.
 */
interface SetStart {
  readonly change: KeyChange;
  /** The moment (`TagRegistry.mark`) as of which its tags are current. */
  readonly tagsAsOf: number;
  readonly tags: Promise<readonly TagVersion[]>;
  /** `MemoryStore.fillEpoch` and `Namespace.clears`. */
  readonly epoch: number;
  readonly clears: number;
}

/**
 * Explicit writes: `set`, `delete`, invalidations. Each cuts the key's fence twice: before the command to Redis, for reads and loads
 * in flight, and after it, for reads that began in between. A write resolves when every instance has applied it. A
 * change that Redis does not accept is queued (`RecoveryQueue`).
 */
export class Writer {
  readonly #core: Core;
  readonly #ongoing = new Set<Promise<boolean>>();

  constructor(core: Core) {
    this.#core = core;
  }

  /** Resolves when every write that has begun is done. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#ongoing);
  }

  async delete(namespace: Namespace, key: string): Promise<boolean> {
    this.#core.assertOpen();
    return await this.#track(this.#delete(namespace, key));
  }

  /**
   * `source` is what a load would return; the target's schema turns it into the value. Resolves with `false` also if a later change
   * of the key by this process came first: then nothing is stored.
   */
  async set(target: Target, source: unknown): Promise<boolean> {
    this.#core.assertOpen();
    return await this.#track(this.#set(target, source));
  }

  /** Removes an entry by its subject (`busKey`), for a tool that does not know its key. */
  async deleteSubject(subject: string): Promise<boolean> {
    const { assertOpen, counters, redis } = this.#core;
    assertOpen();
    counters.deletes += 1;
    if (redis === undefined) return true;
    const told = this.#tell(redis, { kind: 'i', subject }, (message) => redis.delete(subject, message));
    return await this.#track(told.catch(isNotDone));
  }

  /** Invalidates versioned names (`nameTags`, `namespaceName`) everywhere, in O(names). */
  async invalidate(names: readonly string[]): Promise<boolean> {
    this.#core.assertOpen();
    return await this.#track(this.#invalidate(names));
  }

  /** Repeats the invalidation of a name; resolves with whether Redis accepted it. */
  async redo(name: string): Promise<boolean> {
    const { redis } = this.#core;
    return redis === undefined || (await this.#tellVersions(redis, [name]).then(isDone, isNotDone));
  }

  async #track(write: Promise<boolean>): Promise<boolean> {
    this.#ongoing.add(write);
    try {
      return await write;
    } finally {
      this.#ongoing.delete(write);
    }
  }

  async #delete(namespace: Namespace, key: string): Promise<boolean> {
    const { counters } = this.#core;
    counters.deletes += 1;
    this.#evict(namespace, key);
    const change = namespace.changes.begin(key);
    change.takesEffect();
    try {
      return await this.#remove(namespace, key);
    } finally {
      change.end();
    }
  }

  async #remove(namespace: Namespace, key: string): Promise<boolean> {
    const { redis } = this.#core;
    const subject = busKey(namespace.name, key);
    try {
      if (redis === undefined) return true;
      return await this.#tell(redis, { kind: 'i', subject }, (message) => redis.delete(subject, message));
    } catch {
      this.#owe(namespace, key);
      return false;
    } finally {
      this.#evict(namespace, key);
    }
  }

  async #set(target: Target, source: unknown): Promise<boolean> {
    const { memory, tags: registry } = this.#core;
    const { namespace, key, tags } = target;
    const change = namespace.changes.begin(key);
    const tagsAsOf = registry.mark();
    // Known from here on: an invalidation of one that comes while the schema runs must not be forgotten.
    const held = tags.map((name) => [name, ''] as const);
    memory.tags.hold(held);
    try {
      return await this.#setAs(target, source, {
        change,
        tagsAsOf,
        tags: this.#tagVersions(target, tagsAsOf),
        epoch: memory.fillEpoch,
        clears: namespace.clears,
      });
    } finally {
      memory.tags.letGo(held);
      change.end();
    }
  }

  async #setAs(target: Target, source: unknown, start: SetStart): Promise<boolean> {
    const { counters, memory, random, redis } = this.#core;
    const { definition, namespace, key, policy, schema } = target;
    const { change, epoch, tagsAsOf } = start;
    let value = source;
    let body: (() => Body) | undefined;
    if (schema !== undefined) {
      // A schema may work in place; Redis gets the value from before.
      if (redis !== undefined) body = bodyNow(source);
      value = await applySchema(schema, source, definition);
    }
    const kept = keepSet(value, policy.values);
    if (!change.takesEffect()) return false;
    this.#evict(namespace, key);
    const ttlMs = ttlOf(policy, value, undefined, random());
    if (ttlMs <= 0) {
      counters.deletes += 1;
      return await this.#remove(namespace, key);
    }
    counters.sets += 1;
    const fence = namespace.fences.open(key);
    let isEverywhere = true;
    try {
      const tags = await start.tags;
      const fresh = { value: kept, body: body ?? (() => encodeBody(kept)), ttlMs, loadMs: 0, tags };
      let stamp: string | undefined;
      if (redis !== undefined) {
        stamp = redis.stamp();
        isEverywhere = await this.#store(target, redis, { ...fresh, stamp }, change);
        if (!isEverywhere) stamp = undefined;
      }
      // Loads that began before this `set` reached Redis must not overwrite it, and it must not undo later changes.
      if (!fence.isAlive || namespace.clears !== start.clears) return isEverywhere;
      this.#evict(namespace, key);
      const fields = fieldsOfNew(this.#core, target, { ...fresh, stamp, tagsAsOf });
      memory.set(namespace, key, fields, epoch);
      return isEverywhere;
    } finally {
      namespace.fences.close(key, fence);
    }
  }

  async #invalidate(names: readonly string[]): Promise<boolean> {
    const { redis, tags } = this.#core;
    tags.apply(names);
    if (redis === undefined) return true;
    let isEverywhere = true;
    // One slice after the other, so that this process and Redis serve other requests in between.
    for (const slice of slicesOf(names)) {
      const results = await Promise.all(redis.tags.commandsFor(slice).map((some) => this.#bump(redis, some)));
      isEverywhere &&= results.every(Boolean);
    }
    return isEverywhere;
  }

  async #bump(redis: RedisStore, names: readonly string[]): Promise<boolean> {
    const { recovery, tags } = this.#core;
    try {
      return await this.#tellVersions(redis, names);
    } catch {
      for (const name of names) recovery.add({ id: name, redo: () => this.redo(name) });
      return false;
    } finally {
      tags.apply(names);
    }
  }

  async #tellVersions(redis: RedisStore, names: readonly string[]): Promise<boolean> {
    return await this.#tell(redis, { kind: 't', names }, (message) => redis.tags.bump(names, message));
  }

  async #tagVersions(target: Target, asOf: number): Promise<readonly TagVersion[]> {
    const names = this.#core.redis === undefined ? target.tags : coveringNames(target);
    if (names.length === 0) return [];
    try {
      return await this.#core.tags.versions(names, asOf);
    } catch {
      return names.map((name) => [name, ''] as const);
    }
  }

  async #store(
    target: Target,
    redis: RedisStore,
    fresh: Parameters<typeof payloadOfNew>[2],
    change: KeyChange,
  ): Promise<boolean> {
    const { namespace, key } = target;
    const subject = busKey(namespace.name, key);
    try {
      const encoded = payloadOfNew(this.#core, target, fresh);
      return await this.#tell(redis, { kind: 'i', subject }, (message) => {
        // A later delete or set may have been sent already: it must not be undone.
        if (!change.takesEffect()) throw superseded;
        this.#core.tags.keep(fresh.tags, encoded.lifeMs);
        return redis.set({ namespace: namespace.name, key }, encoded, message);
      });
    } catch (error) {
      if (error === superseded) return false;
      if (error instanceof CacheError && error.code === 'ERR_WEIR_CACHE_UNSUPPORTED_VALUE') {
        warnUnsupported(this.#core.name, target.definition, error);
      }
      this.#owe(namespace, key);
      void this.#core.recovery.drain();
      return false;
    }
  }

  /** Sends one change and waits until every subscriber that received it has applied it. */
  async #tell(
    redis: RedisStore,
    change: Change,
    send: (message: Buffer) => Promise<number>,
  ): Promise<boolean> {
    const { coherence } = this.#core;
    // Acknowledgements cannot reach an instance that is not subscribed.
    const canConfirm = !redis.isUsable() || (await coherence?.becomesTrusted()) !== false;
    const announcement: Announcement | undefined = coherence?.announce(change);
    try {
      const receivers = await send(announcement?.message ?? changeMessage(change, redis.instance, 0));
      if (announcement === undefined) return true;
      // Our own subscription is one of them. Without it we receive no acknowledgements, and other instances may receive nothing either.
      const isHeard = canConfirm && receivers > 0;
      return (await announcement.confirmed(isHeard ? receivers : 0)) && isHeard;
    } catch (error) {
      announcement?.cancel();
      throw error;
    }
  }

  // Removing the old value is enough for coherence, whatever was to be written.
  #owe(namespace: Namespace, key: string): void {
    const { recovery, redis } = this.#core;
    if (redis === undefined) return;
    const subject = busKey(namespace.name, key);
    const redo = () => this.#tell(redis, { kind: 'i', subject }, (message) => redis.delete(subject, message));
    recovery.add({ id: subject, redo: () => redo().then(isDone, isNotDone) });
  }

  #evict(namespace: Namespace, key: string): void {
    namespace.cut(key);
    this.#core.memory.delete(namespace, key);
  }
}

function keepSet(value: unknown, mode: Policy['values']): unknown {
  try {
    return keep(value, mode);
  } catch (cause) {
    throw new CacheError(
      'ERR_WEIR_CACHE_UNSUPPORTED_VALUE',
      `Cannot set a value under \`values: '${mode}'\` (${String(cause)}). The cache keeps what it had. Set plain data.`,
      { cause },
    );
  }
}

// Redis has accepted the change; an instance that did not acknowledge in time reads it later or is gone.
function isDone(): boolean {
  return true;
}

function isNotDone(): boolean {
  return false;
}
