import { RateLimitError, shown } from '../errors.ts';
import {
  costTooHigh,
  type HeaderFields,
  type HeaderStyle,
  headerStyles,
  type Problem,
  partitionKey,
  problemType,
  quotaExceeded,
  rateLimitHeaders,
  reducedCapacity,
  refusedClient,
  retryAfterSeconds,
  unusableKey,
} from '../http-answer.ts';
import type { RateLimiter } from '../limiter.ts';
import type { Decision } from '../policies/decision.ts';
import type { LimitKey } from '../policies/limit-key.ts';
import type { Overrides } from '../policies/overrides.ts';

/** How requests are limited, the same in every adapter. */
export interface RequestLimit<Request> {
  readonly limiter: RateLimiter;
  /**
   * Whose quota a request uses: `ipKey(request.ip)`, `secretKey(token)`, `compositeKey(user, route)`, … or
   * `{ user, tenant }` where policies count by parts of the key.
   */
  readonly key: (request: Request) => LimitKey | Promise<LimitKey>;
  /** Units, or what they are for a request. @defaultValue 1 */
  readonly cost?: number | ((request: Request) => number | Promise<number>);
  /** Other limits for some clients, such as paying ones. Where it returns undefined or null, the policies' own limits apply. */
  readonly limits?: (
    request: Request,
  ) => Overrides | null | undefined | Promise<Overrides | null | undefined>;
  /** Refunds the units if it returns true for the status that the client gets. */
  readonly refundIf?: (status: number) => boolean | Promise<boolean>;
  /** @defaultValue `draft-11` */
  readonly headers?: HeaderStyle;
  /** Secret of at least 16 characters: adds draft 11's partition key to the headers. @defaultValue none */
  readonly partitionSecret?: string;
}

/** What an adapter sends: headers on every answer, the refusal if there is one, and what to tell when it is answered. */
export interface Outcome {
  readonly headers: HeaderFields;
  readonly refusal?: { readonly status: number; readonly body: Buffer };
  /** Call once with the final status. Never rejects. */
  answered?(status: number): Promise<void>;
}

/** @throws {RateLimitError} `ERR_WEIR_RATELIMIT_OPTIONS` naming `where` the wrong option stands. */
export function checkRequestLimit<Request>(limit: RequestLimit<Request>, where: string): void {
  if (typeof limit?.limiter?.consume !== 'function' || typeof limit.key !== 'function') {
    throw wrong(where, 'to be { limiter, key }', limit);
  }
  const { headers = 'draft-11', partitionSecret, cost } = limit;
  if (cost !== undefined && typeof cost !== 'number' && typeof cost !== 'function')
    throw wrong(`${where}.cost`, 'to be a number or a function', cost);
  for (const name of ['limits', 'refundIf'] as const) {
    if (limit[name] !== undefined && typeof limit[name] !== 'function')
      throw wrong(`${where}.${name}`, 'to be a function', limit[name]);
  }
  if (!headerStyles.includes(headers))
    throw wrong(`${where}.headers`, `to be one of ${headerStyles.join(', ')}`, headers);
  if (
    partitionSecret !== undefined &&
    !(typeof partitionSecret === 'string' && partitionSecret.length >= 16)
  ) {
    throw wrong(`${where}.partitionSecret`, 'to be a string of at least 16 characters', '(hidden)');
  }
}

/** Decides one request. Unusable keys and costs become 400, since they come from the request; other errors throw. */
export async function limitRequest<Request>(
  limit: RequestLimit<Request>,
  request: Request,
): Promise<Outcome> {
  const { limiter, headers: style = 'draft-11' } = limit;
  let key: LimitKey;
  let decision: Decision;
  try {
    key = await limit.key(request);
    const cost = typeof limit.cost === 'function' ? await limit.cost(request) : (limit.cost ?? 1);
    const limits = limit.limits === undefined ? undefined : await limit.limits(request);
    decision = await limiter.consume(key, limits == null ? { cost } : { cost, limits });
  } catch (error) {
    return refusal({}, problemOf(error, limit));
  }
  const headers = rateLimitHeaders(style, described(limiter, decision), decision, partitions(limit, key));
  if (decision.allowed) {
    const { refundIf } = limit;
    if (refundIf === undefined) return { headers };
    return { headers, answered: (status) => settle(limiter, key, decision, refundIf, status) };
  }
  if (decision.listed === 'deny') return refusal(headers, refusedClient());
  const seconds = retryAfterSeconds(decision.retryAfterMs, Math.random);
  headers['retry-after'] = String(seconds);
  // Denied because Redis is away: the client did nothing wrong.
  if (decision.source === 'closed') return refusal(headers, reducedCapacity(seconds));
  return refusal(headers, quotaExceeded(decision.violated, seconds));
}

/** The policies as the decision applied them: overrides may have changed the numbers. */
function described(limiter: RateLimiter, decision: Decision): RateLimiter['policies'] {
  return decision.policies.length > 0 && decision.source !== 'local' ? decision.policies : limiter.policies;
}

/** The partition key of each policy, by the part of the key that it counts by; none for one that counts all keys together. */
function partitions<Request>(
  { limiter, partitionSecret }: RequestLimit<Request>,
  key: LimitKey,
): ((policy: string) => string | undefined) | undefined {
  if (partitionSecret === undefined) return undefined;
  if (typeof key === 'string') {
    const pk = partitionKey(partitionSecret, key);
    return () => pk;
  }
  const parts = new Map(limiter.policies.map((policy) => [policy.name, policy.key]));
  return (policy) => {
    const part = parts.get(policy);
    return part === undefined ? undefined : partitionKey(partitionSecret, `${part}:${key[part]}`);
  };
}

async function settle(
  limiter: RateLimiter,
  key: LimitKey,
  decision: Decision,
  refundIf: (status: number) => boolean | Promise<boolean>,
  status: number,
): Promise<void> {
  try {
    if (await refundIf(status)) await limiter.refund(key, decision);
  } catch (error) {
    // The answer is out: a refund that Redis fails to take is only a unit less for this client.
    if (error instanceof RateLimitError && error.code === 'ERR_WEIR_RATELIMIT_STORE') return;
    // An error of `refundIf` has no request left to fail.
    process.emitWarning(error instanceof Error ? error : String(error), { code: 'WEIR_RATELIMIT_REFUND' });
  }
}

function problemOf<Request>(error: unknown, limit: RequestLimit<Request>): Problem {
  if (error instanceof RateLimitError) {
    if (error.code === 'ERR_WEIR_RATELIMIT_KEY') return unusableKey();
    const fromRequest = typeof limit.cost === 'function';
    if (fromRequest && error.code.startsWith('ERR_WEIR_RATELIMIT_COST')) return costTooHigh();
  }
  throw error;
}

function refusal(headers: HeaderFields, problem: Problem): Outcome {
  headers['content-type'] = problemType;
  return { headers, refusal: { status: problem.status, body: Buffer.from(JSON.stringify(problem)) } };
}

function wrong(where: string, expected: string, value: unknown): RateLimitError {
  return new RateLimitError(
    'ERR_WEIR_RATELIMIT_OPTIONS',
    `Expected \`${where}\` ${expected}, got ${shown(value)}.`,
  );
}
