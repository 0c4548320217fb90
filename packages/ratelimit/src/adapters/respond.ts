import type { Decision } from '../decision.ts';
import { RateLimitError } from '../errors.ts';
import { type HeaderFields, rateLimitHeaders, retryAfterSeconds } from '../headers.ts';
import type { RateLimiter } from '../limiter.ts';
import { PROBLEM_TYPE, type Problem, quotaExceeded, reducedCapacity, unusableKey } from '../problem.ts';

/** What an adapter sends: headers on every answer, and the refusal when there is one. */
export interface Outcome {
  readonly headers: HeaderFields;
  readonly refusal?: { readonly status: number; readonly body: string };
}

/** What every adapter does with one request: decide, then say which headers and which refusal to send. */
export async function outcomeOf(limiter: RateLimiter, key: string, cost: number): Promise<Outcome> {
  let decision: Decision;
  try {
    decision = await limiter.consume(key, { cost });
  } catch (error) {
    if (error instanceof RateLimitError && error.code === 'ERR_WEIR_RATELIMIT_KEY') {
      return refusal({}, unusableKey());
    }
    throw error;
  }
  const headers = rateLimitHeaders(limiter.policies, decision);
  if (decision.allowed) return { headers };
  const seconds = retryAfterSeconds(decision.retryAfterMs, Math.random);
  headers['retry-after'] = String(seconds);
  // Denied because Redis is away: the client did nothing wrong.
  if (decision.source === 'closed') return refusal(headers, reducedCapacity(seconds));
  return refusal(headers, quotaExceeded(decision.violated, seconds));
}

function refusal(headers: HeaderFields, problem: Problem): Outcome {
  headers['content-type'] = PROBLEM_TYPE;
  return { headers, refusal: { status: problem.status, body: JSON.stringify(problem) } };
}
