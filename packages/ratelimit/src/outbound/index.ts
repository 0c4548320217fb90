export { type LimitedFetchOptions, limitedFetch } from './limited-fetch.ts';
export type { GetHeader } from './outbound-limiter.ts';
export {
  createOutboundLimiter,
  type OutboundLimiter,
  type OutboundLimiterOptions,
  type TurnOptions,
} from './outbound-limiter.ts';
export { outboundInterceptor } from './undici-interceptor.ts';
