import type { ResolvedOptions } from '../options.ts';
import { RedisScripts } from '../stores/redis-client.ts';
import { RedisStore } from '../stores/redis-store.ts';
import type { Backend } from './backend.ts';
import { DenyCache } from './deny-cache.ts';
import { MemoryBackend } from './memory-backend.ts';
import { RedisBackend } from './redis-backend.ts';

/** The backend that the options ask for. `onError` hears of every failed call to Redis. */
export function createBackend(options: ResolvedOptions, onError: () => void): Backend {
  const { name, plan, localPlan, redis, onStoreError, deadlineMs, clock, keyPrefix, denyCacheMs } = options;
  if (redis === undefined) return new MemoryBackend(options);
  const scripts = new RedisScripts({ redis, limiter: name, deadlineMs, clock, onError });
  return new RedisBackend({
    plan,
    store: new RedisStore(scripts, `${keyPrefix}:${name}`),
    clock,
    denyCache: denyCacheMs > 0 ? new DenyCache(denyCacheMs) : undefined,
    lease: options.lease,
    fallback:
      typeof onStoreError === 'string' || localPlan === undefined
        ? (onStoreError as 'open' | 'closed')
        : { plan: localPlan, backend: new MemoryBackend({ ...options, plan: localPlan }, 'local') },
  });
}
