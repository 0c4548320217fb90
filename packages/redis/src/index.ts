export { createAnnouncer } from './announce.ts';
export { Breaker, type BreakerOptions } from './breaker.ts';
export { type Call, type CallOutcome, RedisCalls, type RedisCallsOptions, type RedisNode } from './calls.ts';
export { type Clock, ServerClock } from './clock.ts';
export { Deadlines } from './deadlines.ts';
export { RedisError, type RedisErrorCode } from './errors.ts';
export { type GlideConnection, type GlideOptions, glide } from './glide.ts';
export type { IoredisClient } from './ioredis.ts';
export {
  type ConnectionState,
  createScript,
  decorateLink,
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
export { Ticket, TicketOffice, ticketsOf } from './ticket.ts';
export { TurnBatch } from './turn-batch.ts';
