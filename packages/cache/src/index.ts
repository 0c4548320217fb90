export { type Cache, createCache, type GetOrSetOptions } from './cache.ts';
export type { AnnouncedCache, CacheLoadEvent, CacheRedisEvent } from './channels.ts';
export type { Definition, DefinitionOptions, ReadOptions } from './definition.ts';
export { CacheError, type CacheErrorCode } from './errors.ts';
export type { LoadContext } from './load-context.ts';
export type { CacheOptions, L1Options, RedisOptions } from './options.ts';
export type { PolicyOptions } from './policies/policy.ts';
export type { CacheStats } from './stats.ts';
export type { RedisClient } from './stores/redis-client.ts';
