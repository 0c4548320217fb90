import { createHash } from 'node:crypto';
import { RateLimitError, shown } from '../errors.ts';

/** Longer credentials are refused rather than hashed. */
const maxSecretLength = 8192;

/**
 * The limit key of an API key or token: a 128-bit SHA-256 digest, so that credentials reach neither Redis nor logs.
 * @throws {RateLimitError} `ERR_WEIR_RATELIMIT_KEY` for a missing, repeated or oversized credential.
 */
export function secretKey(secret: string | readonly string[] | undefined): string {
  if (typeof secret !== 'string' || secret.length === 0 || secret.length > maxSecretLength) {
    const got = typeof secret === 'string' ? `${secret.length} characters` : shown(secret);
    throw new RateLimitError(
      'ERR_WEIR_RATELIMIT_KEY',
      `Expected one credential of 1–${maxSecretLength} characters, got ${got}.`,
    );
  }
  return `key:${createHash('sha256').update(secret).digest('base64url').slice(0, 22)}`;
}

/** One key of several parts, such as a user and a route. Parts cannot run into each other: `a, b:c` is not `a:b, c`. */
export function compositeKey(...parts: readonly (string | number)[]): string {
  return parts.map((part) => String(part).replaceAll(/[%:]/g, encodeURIComponent)).join(':');
}
