export type { RedisClient } from '@weir/redis';
export { type Cache, createCache } from './cache.ts';
export type { Definition, DefinitionOptions, WrapOptions, Wrapped } from './definition.ts';
export { CacheError, type CacheErrorCode } from './errors.ts';
export type {
  CacheOptions,
  GetOrSetOptions,
  L1Options,
  ReadOptions,
  RedisOptions,
  SetOptions,
} from './options.ts';
export type { PolicyOptions } from './policy.ts';
export type { AnnouncedCache, CacheLoadEvent, CacheRedisEvent, CacheStats } from './stats.ts';
export type { LoadMany } from './tiers/batch.ts';
export type { LoadContext } from './tiers/load-context.ts';
export type { SchemaResult, StandardSchema } from './values/value.ts';
