export { RedisError, type RedisErrorCode } from './errors.ts';
export { type GlideConnection, type GlideOptions, glide } from './glide.ts';
export type { IoredisClient } from './ioredis.ts';
export {
  type ConnectionState,
  createScript,
  type LuaScript,
  type RedisArgument,
  type RedisLink,
  type RedisReply,
  type SubscribeOptions,
  type Subscription,
  type SubscriptionEvents,
} from './link.ts';
export { linkOf, type RedisClient } from './link-of.ts';
export type { NodeRedisClient, NodeRedisCluster } from './node-redis.ts';
