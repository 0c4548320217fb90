import type { Entry } from './entry.ts';
import type { MemoryStore } from './memory-store.ts';
import type { RedisStore } from './redis-store.ts';

/** Keeps an L1 entry only if Redis still has the very write it came from; distrusts it when Redis cannot be asked. */
export async function verify(redis: RedisStore, memory: MemoryStore, entry: Entry): Promise<void> {
  const { key, namespace } = entry;
  try {
    if ((await redis.stampOf({ namespace: namespace.name, key })) === entry.stamp) return;
  } catch {
    entry.epoch = Number.NaN;
    return;
  }
  if (namespace.entries.get(key) === entry) memory.delete(namespace, key);
}
