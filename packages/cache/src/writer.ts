import { encode } from './codec/envelope.ts';
import { CacheError } from './errors.ts';
import { earlyFrom, staleMsOf, ttlOf } from './policies/freshness.ts';
import type { Policy } from './policies/policy.ts';
import { type Core, warnUnsupported } from './read-through.ts';
import type { Namespace } from './stores/namespace.ts';
import { sizeOf } from './stores/size-of.ts';
import { isolate } from './values.ts';

/**
 * Explicit writes. Each cuts the key's fence twice: before it tells Redis, so that nothing in flight can outlive it, and
 * after, so that what was read from Redis in between cannot either.
 */
export class Writer {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  async delete(namespace: Namespace, key: string): Promise<boolean> {
    const { counters, redis } = this.#core;
    this.#core.assertOpen();
    counters.deletes += 1;
    this.#evict(namespace, key);
    if (redis === undefined) return true;
    try {
      await redis.delete(namespace.name, key, Buffer.alloc(0));
      return true;
    } catch {
      return false;
    } finally {
      this.#evict(namespace, key);
    }
  }

  async set(
    namespace: Namespace,
    key: string,
    value: unknown,
    policy: Policy,
    definition: string | undefined,
  ): Promise<boolean> {
    const { codec, counters, measuresBytes, memory, now, random, redis } = this.#core;
    this.#core.assertOpen();
    counters.sets += 1;
    this.#evict(namespace, key);
    const kept = isolate(value, policy.values);
    const staleMs = staleMsOf(policy);
    const ttlMs = ttlOf(policy, value, undefined, random());
    if (ttlMs <= 0) return await this.delete(namespace, key);
    const stamp = redis?.stamp();
    let isStored = true;
    const fence = namespace.fences.open(key);
    try {
      if (redis !== undefined && stamp !== undefined) {
        const bytes = encode({ value: kept, stamp, freshMs: ttlMs, staleMs, loadMs: 0, tags: [] }, codec);
        await redis.set(namespace.name, key, bytes, ttlMs + staleMs, Buffer.alloc(0));
      }
    } catch (error) {
      isStored = false;
      if (error instanceof CacheError && error.code === 'ERR_WEIR_CACHE_UNSUPPORTED_VALUE') {
        warnUnsupported(this.#core.name, definition, error);
        await this.delete(namespace, key);
      }
    } finally {
      namespace.fences.close(key, fence);
    }
    // A delete or another set that came meanwhile is newer than this one.
    if (!fence.isAlive && isStored) return true;
    this.#evict(namespace, key);
    const freshUntil = now() + ttlMs;
    memory.set(namespace, key, {
      value: kept,
      stamp,
      freshUntil,
      revalidateUntil: freshUntil + policy.staleWhileRevalidateMs,
      graceUntil: freshUntil + staleMs,
      loadMs: 0,
      earlyFrom: earlyFrom(policy.earlyRefresh, 0, freshUntil),
      tags: [],
      sizeBytes: measuresBytes ? sizeOf(kept) : 1,
      isCloned: policy.values === 'cloned',
    });
    return isStored;
  }

  #evict(namespace: Namespace, key: string): void {
    namespace.cut(key);
    this.#core.memory.delete(namespace, key);
  }
}
