import type { ResolvedOptions } from '../options.ts';
import { RedisScripts } from '../stores/redis-scripts.ts';
import { RedisStore } from '../stores/redis-store.ts';
import type { Backend, Settle } from './backend.ts';
import { DenyCache } from './deny-cache.ts';
import { MemoryBackend } from './memory-backend.ts';
import { RedisBackend } from './redis-backend.ts';

/** The backend that the options ask for. `onError` hears of every failed call to Redis. */
export function createBackend(options: ResolvedOptions, settle: Settle, onError: () => void): Backend {
  const { name, plan, localPlan, link, onStoreError, deadlineMs, clock, keyPrefix, denyCacheMs } = options;
  if (link === undefined) return new MemoryBackend(options, settle);
  const scripts = new RedisScripts({ link, limiter: name, deadlineMs, clock, onError });
  return new RedisBackend({
    plan,
    store: new RedisStore(scripts, `${keyPrefix}:${name}`, deadlineMs),
    clock,
    settle,
    denyCache: denyCacheMs > 0 ? new DenyCache(denyCacheMs, clock) : undefined,
    lease: options.lease,
    fallback:
      typeof onStoreError === 'string' || localPlan === undefined
        ? (onStoreError as 'open' | 'closed')
        : {
            plan: localPlan,
            backend: new MemoryBackend({ ...options, plan: localPlan }, unsettled, 'local'),
          },
  });
}

/** What a fallback decides is settled by the backend that it stands in for. */
const unsettled: Settle = (_plan, _key, decision) => decision;
