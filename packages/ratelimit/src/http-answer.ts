import { createHmac } from 'node:crypto';
import type { Decision, PolicyState } from './policies/decision.ts';

/** Header fields by lower-case name. */
export type HeaderFields = Record<string, string>;

/**
 * Which header fields tell a client its quota: of draft-ietf-httpapi-ratelimit-headers 11 (also what 8–10 wrote), 7
 * (one policy, dictionary), 6 (three fields), the customary `x-ratelimit-*`, or none.
 */
export type HeaderStyle = 'draft-11' | 'draft-7' | 'draft-6' | 'legacy' | 'none';

export const headerStyles: readonly HeaderStyle[] = ['draft-11', 'draft-7', 'draft-6', 'legacy', 'none'];

/** A policy as the headers describe it. */
interface DescribedPolicy {
  readonly name: string;
  readonly limit: number;
  readonly windowMs: number;
}

/**
 * The fields of a style for a decision. Seconds are rounded up, units down. `partitionOf` returns a policy's partition key
 * or undefined; only draft 11 carries it.
 */
export function rateLimitHeaders(
  style: HeaderStyle,
  policies: readonly DescribedPolicy[],
  decision: Decision,
  partitionOf?: (policy: string) => string | undefined,
): HeaderFields {
  if (style === 'none') return {};
  if (style === 'draft-11') {
    // Lists keyed by a quoted String: q quota, w window; r remaining, t seconds until more becomes available.
    const partition = (policy: string): string => {
      const pk = partitionOf?.(policy);
      return pk === undefined ? '' : `;pk=${pk}`;
    };
    const fields: HeaderFields = {
      'ratelimit-policy': policies
        .map(({ name, limit, windowMs }) => `"${name}";q=${limit};w=${seconds(windowMs)}${partition(name)}`)
        .join(', '),
    };
    if (decision.policies.length > 0) {
      fields.ratelimit = decision.policies
        .map((state) => `${stateItem(state)}${partition(state.name)}`)
        .join(', ');
    }
    return fields;
  }
  const tightest = tightestOf(decision);
  if (tightest === undefined) return {};
  const { limit, remaining, resetMs } = tightest;
  const policy = policies
    .map((described) => `${described.limit};w=${seconds(described.windowMs)}`)
    .join(', ');
  const values = [limit, Math.floor(remaining), seconds(resetMs)] as const;
  if (style === 'draft-7') {
    return {
      'ratelimit-policy': policy,
      ratelimit: `limit=${values[0]}, remaining=${values[1]}, reset=${values[2]}`,
    };
  }
  const prefix = style === 'legacy' ? 'x-ratelimit' : 'ratelimit';
  const fields: HeaderFields = {
    [`${prefix}-limit`]: String(values[0]),
    [`${prefix}-remaining`]: String(values[1]),
    [`${prefix}-reset`]: String(values[2]),
  };
  return style === 'draft-6' ? { ...fields, 'ratelimit-policy': policy } : fields;
}

/**
 * Draft 11's partition key, which tells a client which of its requests share a quota: a keyed hash, since a bare hash
 * of an address can be reversed by trying all addresses.
 */
export function partitionKey(secret: string, key: string): string {
  return `:${createHmac('sha256', secret).update(key).digest().subarray(0, 12).toString('base64')}:`;
}

/**
 * Whole seconds for Retry-After: never before quota is back, and spread upward by up to a tenth, so that clients that
 * were denied together do not return together.
 */
export function retryAfterSeconds(retryAfterMs: number, random: () => number): number {
  return Math.max(1, Math.ceil((retryAfterMs * (1 + random() / 10)) / 1000));
}

/** The policy with the smallest share left: what a style for one policy tells. */
function tightestOf(decision: Decision): PolicyState | undefined {
  const share = (state: PolicyState): number => state.remaining / state.limit;
  return decision.policies.reduce<PolicyState | undefined>(
    (least, state) => (least === undefined || share(state) < share(least) ? state : least),
    undefined,
  );
}

function stateItem({ name, remaining, nextMs }: PolicyState): string {
  const t = nextMs > 0 ? `;t=${seconds(nextMs)}` : '';
  return `"${name}";r=${Math.floor(remaining)}${t}`;
}

function seconds(ms: number): number {
  return Math.ceil(ms / 1000);
}

/** An RFC 9457 body. Its media type is {@link problemType}. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** Names of the policies that denied. */
  readonly 'violated-policies'?: readonly string[];
}

export const problemType = 'application/problem+json';

const problemRegistry = 'https://iana.org/assignments/http-problem-types';

/** 429 of draft-ietf-httpapi-ratelimit-headers: the client used its quota up. */
export function quotaExceeded(violated: readonly string[], retryAfterSeconds: number): Problem {
  return {
    type: `${problemRegistry}#quota-exceeded`,
    title: 'Request cannot be satisfied as assigned quota has been exceeded',
    status: 429,
    detail: `Retry after ${retryAfterSeconds} s.`,
    'violated-policies': violated,
  };
}

/** 503 of draft-ietf-httpapi-ratelimit-headers: the server has less to give for a while. */
export function reducedCapacity(retryAfterSeconds: number): Problem {
  return {
    type: `${problemRegistry}#temporary-reduced-capacity`,
    title: 'Request cannot be satisfied due to temporary server capacity constraints',
    status: 503,
    detail: `Retry after ${retryAfterSeconds} s.`,
  };
}

/** 400 for a request whose limit key cannot be made, such as an oversized or missing credential. */
export function unusableKey(): Problem {
  return {
    type: 'about:blank',
    title: 'Bad Request',
    status: 400,
    detail: 'The client cannot be identified.',
  };
}

/** 400 for a request whose cost is not a number that could ever be granted. */
export function costTooHigh(): Problem {
  return {
    type: 'about:blank',
    title: 'Bad Request',
    status: 400,
    detail: 'The request asks for more at once than any quota grants. Split it.',
  };
}

/** 403 for a client of the deny list. */
export function refusedClient(): Problem {
  return { type: 'about:blank', title: 'Forbidden', status: 403, detail: 'This client is refused.' };
}
