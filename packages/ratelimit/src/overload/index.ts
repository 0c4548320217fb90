export type { OverloadGuard } from './admission.ts';
export type { QueueOptions } from './codel-queue.ts';
export {
  type AcquireOptions,
  type Completion,
  type ConcurrencyLimiter,
  type ConcurrencyLimiterOptions,
  type ConcurrencyStats,
  createConcurrencyLimiter,
  type Permit,
} from './concurrency-limiter.ts';
export { type AimdOptions, aimdLimit } from './limits/aimd.ts';
export {
  type ConcurrencyLimit,
  fixedLimit,
  type LatencyWindow,
  type LimitBounds,
} from './limits/concurrency-limit.ts';
export { type Gradient2Options, gradient2Limit } from './limits/gradient2.ts';
export { vegasLimit } from './limits/vegas.ts';
export {
  createLoadShedder,
  type LoadShedder,
  type LoadShedderOptions,
  type LoopLoad,
} from './load-shedder.ts';
export type { Tier } from './tiers.ts';
