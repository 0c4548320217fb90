export { type LimitedFetchOptions, limitedFetch } from './limited-fetch.ts';
export {
  createOutboundLimiter,
  type OutboundLimiter,
  type OutboundLimiterOptions,
  type TurnOptions,
} from './outbound-limiter.ts';
export type { GetHeader } from './server-hints.ts';
export { outboundInterceptor } from './undici-interceptor.ts';
