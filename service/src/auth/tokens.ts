import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/**
 * What a token permits: `push` writes samples and registers targets, `read` reads, `bench` reads and runs benchmarks, `admin` does
 * everything.
 */
export const roles = ['push', 'read', 'bench', 'admin'] as const;

export type Role = (typeof roles)[number];

/** Whether a token with `role` may use a route that requires `required`. */
export function allows(role: Role, required: Role): boolean {
  if (role === 'admin' || role === required) return true;
  return role === 'bench' && required === 'read';
}

/** A token in the configuration, which holds its hash only. */
export interface TokenEntry {
  readonly name: string;
  readonly role: Role;
  /** SHA-256 in hexadecimal. Enough, since a token has 256 random bits and cannot be guessed from its hash. */
  readonly sha256: string;
}

/** A new random token. Show it once; keep its hash. */
export function createToken(): { readonly token: string; readonly sha256: string } {
  const token = `weir_${randomBytes(32).toString('base64url')}`;
  return { token, sha256: hashToken(token) };
}

export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/** The entry a token belongs to. Takes the same time whichever entry it is, or none. */
export function findToken(token: string, entries: readonly TokenEntry[]): TokenEntry | undefined {
  const given = Buffer.from(hashToken(token), 'hex');
  let found: TokenEntry | undefined;
  for (const entry of entries) if (timingSafeEqual(given, Buffer.from(entry.sha256, 'hex'))) found = entry;
  return found;
}

/** The token of an `Authorization` header: `Bearer <token>`, or `Basic` with the token as password (any user name). */
export function tokenOf(authorization: string | undefined): string | undefined {
  const match = /^(bearer|basic)\s+(\S+)\s*$/i.exec(authorization ?? '');
  if (match === null) return undefined;
  const credentials = match[2] as string;
  if (match[1]?.toLowerCase() === 'bearer') return credentials;
  const decoded = Buffer.from(credentials, 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  return colon === -1 ? undefined : decoded.slice(colon + 1);
}
