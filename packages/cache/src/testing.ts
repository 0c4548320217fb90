/**
 * Means to test code that uses the cache: a clock that stands still, a Redis that fails on demand, and the contract that a
 * Redis or a look-alike must keep for the cache to work on it.
 */
export { createFlakyRedis, type FlakyRedis } from './testing/flaky-redis.ts';
export { createManualClock, type ManualClock } from './testing/manual-clock.ts';
export { type ContractCheck, storeContract } from './testing/store-contract.ts';
