import type { Decision, PolicyState } from './decision.ts';

/** Header fields by lower-case name. */
export type HeaderFields = Record<string, string>;

/** A policy as the headers describe it. */
export interface DescribedPolicy {
  readonly name: string;
  readonly limit: number;
  readonly windowMs: number;
}

/**
 * `RateLimit-Policy` and `RateLimit` of draft-ietf-httpapi-ratelimit-headers-11: lists of policies keyed by a quoted
 * String; q quota, w window in seconds; r units remaining, t seconds until more become available. Rounded up.
 */
export function rateLimitHeaders(policies: readonly DescribedPolicy[], decision: Decision): HeaderFields {
  const fields: HeaderFields = { 'ratelimit-policy': policyField(policies) };
  if (decision.policies.length > 0) fields.ratelimit = decision.policies.map(stateItem).join(', ');
  return fields;
}

/** Whole seconds for Retry-After: never before quota is back, spread upward by up to a tenth so that clients do not return in step. */
export function retryAfterSeconds(retryAfterMs: number, random: () => number): number {
  return Math.max(1, Math.ceil((retryAfterMs * (1 + random() / 10)) / 1000));
}

function policyField(policies: readonly DescribedPolicy[]): string {
  return policies
    .map(({ name, limit, windowMs }) => `"${name}";q=${limit};w=${seconds(windowMs)}`)
    .join(', ');
}

function stateItem({ name, remaining, nextMs }: PolicyState): string {
  const t = nextMs > 0 ? `;t=${seconds(nextMs)}` : '';
  return `"${name}";r=${Math.floor(remaining)}${t}`;
}

function seconds(ms: number): number {
  return Math.ceil(ms / 1000);
}
