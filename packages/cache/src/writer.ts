import type { Announcement } from './coherence/coherence.ts';
import { busKey, type ChangeKind, changeMessage } from './coherence/messages.ts';
import type { Core, Target } from './core.ts';
import { coveringNames, fieldsOfNew, payloadOfNew } from './entry-fields.ts';
import { CacheError } from './errors.ts';
import { warnUnsupported } from './loader.ts';
import { ttlOf } from './policies/freshness.ts';
import { applySchema } from './schema.ts';
import type { Namespace } from './stores/namespace.ts';
import type { RedisStore } from './stores/redis-store.ts';
import { keep } from './values.ts';

/**
 * Explicit writes. Each cuts the key's fence twice: before it tells Redis, so that nothing in flight can outlive it, and
 * after, so that what was read from Redis in between cannot either. It resolves when every instance has applied it.
 * What Redis does not take is owed to it (`RecoveryQueue`).
 */
export class Writer {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  async delete(namespace: Namespace, key: string): Promise<boolean> {
    const { assertOpen, counters, redis } = this.#core;
    assertOpen();
    counters.deletes += 1;
    this.#evict(namespace, key);
    if (redis === undefined) return true;
    const subject = busKey(namespace.name, key);
    try {
      return await this.#tell(redis, 'i', subject, (message) =>
        redis.delete({ namespace: namespace.name, key }, message),
      );
    } catch {
      this.#owe(namespace, key);
      return false;
    } finally {
      this.#evict(namespace, key);
    }
  }

  /** `source` is what a load would return: the target's schema makes the value of it. */
  async set(target: Target, source: unknown): Promise<boolean> {
    const { assertOpen, counters, memory, random, redis } = this.#core;
    const { definition, namespace, key, policy, schema } = target;
    assertOpen();
    const value = schema === undefined ? source : await applySchema(schema, source, definition);
    const ttlMs = ttlOf(policy, value, undefined, random());
    if (ttlMs <= 0) return await this.delete(namespace, key);
    counters.sets += 1;
    this.#evict(namespace, key);
    const fence = namespace.fences.open(key);
    const epoch = memory.fillEpoch;
    let isEverywhere = true;
    try {
      const kept = keep(value, policy.values);
      const fresh = { value: kept, source: schema === undefined ? kept : source, ttlMs, loadMs: 0 };
      const tags = await this.#tagVersions(target);
      let stamp: string | undefined;
      if (redis !== undefined) {
        stamp = redis.stamp();
        isEverywhere = await this.#store(target, redis, { ...fresh, stamp, tags });
        if (!isEverywhere) stamp = undefined;
      }
      // Loads that began before this set has reached Redis must not overwrite it, later changes must not be undone.
      if (!fence.isAlive) return isEverywhere;
      this.#evict(namespace, key);
      const fields = fieldsOfNew(this.#core, target, { ...fresh, stamp, tags });
      memory.set(namespace, key, fields, epoch);
      return isEverywhere;
    } finally {
      namespace.fences.close(key, fence);
    }
  }

  /** Invalidates versioned names (`tagName`, `namespaceName`) everywhere: O(names), whatever they cover. */
  async invalidate(names: readonly string[]): Promise<boolean> {
    this.#core.assertOpen();
    const results = await Promise.all(names.map((name) => this.#bump(name)));
    return results.every(Boolean);
  }

  /** Invalidates a name that is owed to Redis; resolves with whether Redis has taken it. */
  async redo(name: string): Promise<boolean> {
    return await this.#tellVersion(name).then(isDone, isNotDone);
  }

  async #tellVersion(name: string): Promise<boolean> {
    const { redis } = this.#core;
    if (redis === undefined) return true;
    return await this.#tell(redis, 't', name, (message) => redis.bumpTag(name, message));
  }

  async #bump(name: string): Promise<boolean> {
    const { recovery, tags } = this.#core;
    tags.apply(name);
    try {
      return await this.#tellVersion(name);
    } catch {
      recovery.add({ id: name, redo: () => this.redo(name) });
      return false;
    } finally {
      tags.apply(name);
    }
  }

  async #tagVersions(target: Target): Promise<readonly (readonly [string, string])[]> {
    const names = this.#core.redis === undefined ? target.tags : coveringNames(target);
    if (names.length === 0) return [];
    try {
      return await this.#core.tags.versions(names);
    } catch {
      return names.map((name) => [name, ''] as const);
    }
  }

  async #store(
    target: Target,
    redis: RedisStore,
    fresh: Parameters<typeof payloadOfNew>[2],
  ): Promise<boolean> {
    const { namespace, key } = target;
    const subject = busKey(namespace.name, key);
    try {
      const encoded = payloadOfNew(this.#core, target, fresh);
      return await this.#tell(redis, 'i', subject, (message) =>
        redis.set({ namespace: namespace.name, key }, encoded, message),
      );
    } catch (error) {
      if (error instanceof CacheError && error.code === 'ERR_WEIR_CACHE_UNSUPPORTED_VALUE') {
        warnUnsupported(this.#core.name, target.definition, error);
      }
      this.#owe(namespace, key);
      void this.#core.recovery.drain();
      return false;
    }
  }

  /** Sends one change and waits until every subscriber that Redis handed it to has applied it. */
  async #tell(
    redis: RedisStore,
    kind: ChangeKind,
    subject: string,
    send: (message: Buffer) => Promise<number>,
  ): Promise<boolean> {
    const { coherence } = this.#core;
    // Answers cannot reach an instance that is not subscribed (yet).
    const canConfirm = !redis.isUsable || (await coherence?.becomesTrusted()) !== false;
    const announcement: Announcement | undefined = coherence?.announce(kind, subject);
    try {
      const receivers = await send(announcement?.message ?? changeMessage(kind, redis.instance, 0, subject));
      if (announcement === undefined) return true;
      // Our own subscription counts among them: without it we are deaf, and others may be too without having noticed.
      const isHeard = canConfirm && receivers > 0;
      return (await announcement.confirmed(isHeard ? receivers : 0)) && isHeard;
    } catch (error) {
      announcement?.cancel();
      throw error;
    }
  }

  // Whatever was to be written, removing the old value is what coherence needs.
  #owe(namespace: Namespace, key: string): void {
    const { recovery, redis } = this.#core;
    if (redis === undefined) return;
    const subject = busKey(namespace.name, key);
    const redo = () =>
      this.#tell(redis, 'i', subject, (message) => redis.delete({ namespace: namespace.name, key }, message));
    recovery.add({ id: subject, redo: () => redo().then(isDone, isNotDone) });
  }

  #evict(namespace: Namespace, key: string): void {
    namespace.cut(key);
    this.#core.memory.delete(namespace, key);
  }
}

// Redis has taken it; an instance that did not acknowledge in time reads it later or is gone.
function isDone(): boolean {
  return true;
}

function isNotDone(): boolean {
  return false;
}
