import { createHash } from 'node:crypto';
import { CacheError, invalidOption } from './errors.ts';

const maxKeyLength = 1024;
const hashed = '~sha256:';

/** Names of caches, definitions and tags' prefixes end up in Redis keys and metric labels: short, and no braces. */
export function checkName(option: string, name: unknown): string {
  if (typeof name === 'string' && /^[A-Za-z0-9_.-]{1,64}$/.test(name)) return name;
  throw invalidOption(option, '1 to 64 letters, digits, `_`, `.` or `-`', name);
}

/** Throws for what is no usable key: a missing one is nearly always a bug that would mix up values. */
export function checkKey(key: unknown): asserts key is string {
  if (typeof key === 'string' && key !== '') return;
  const got = key === '' ? 'an empty string' : `a value of type ${typeof key}`;
  throw new CacheError(
    'ERR_WEIR_CACHE_INVALID_KEY',
    `Expected a key to be a non-empty string, got ${got}. Build it from every argument the value depends on.`,
  );
}

/**
 * The form of a key inside Redis. Keys longer than 1024 characters, and those UTF-8 cannot carry (lone surrogates, which
 * would collide), are replaced by their SHA-256; so are keys that look like such a replacement.
 */
export function redisSuffix(key: string): string {
  if (key.length <= maxKeyLength && key.isWellFormed() && !key.startsWith(hashed)) return key;
  return hashed + createHash('sha256').update(Buffer.from(key, 'utf16le')).digest('base64url');
}
