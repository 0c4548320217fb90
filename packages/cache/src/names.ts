import { createHash } from 'node:crypto';
import { CacheError, invalidOption } from './errors.ts';

const maxKeyLength = 1024;
const hashed = '~sha256:';

/** Checks the name of a cache or definition, which becomes part of Redis keys and metric labels: short, without braces. */
export function checkName(option: string, name: unknown): string {
  if (typeof name === 'string' && /^[A-Za-z0-9_.-]{1,64}$/.test(name)) return name;
  throw invalidOption(option, '1 to 64 letters, digits, `_`, `.` or `-`', name);
}

/** Throws unless a key is a non-empty string: a missing key is nearly always a bug that would mix up values. */
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

/** The name of a user's tag among all versioned names. */
function tagName(tag: string): string {
  return `t${tag}`;
}

/** The name whose version covers a whole namespace; `'*'` stands for the whole cache. */
export function namespaceName(namespace: string): string {
  return `n${namespace}`;
}

/** The names of a user's tags, each once. Throws for what is no list of non-empty strings. */
export function nameTags(tags: readonly string[]): readonly string[] {
  if (!Array.isArray(tags)) throw invalidOption('tags', 'an array of strings', tags);
  return [...new Set(tags)].map((tag: unknown) => {
    if (typeof tag === 'string' && tag !== '') return tagName(tag);
    throw invalidOption('tags', 'an array of non-empty strings', tag);
  });
}

/** The subject of an entry: its name in messages and, between the braces, in its Redis keys. */
export function busKey(namespace: string, key: string): string {
  return `${namespace}:${redisSuffix(key)}`;
}

/** The inverse of `busKey`, except that hashed keys stay hashed. */
export function splitBusKey(subject: string): { readonly namespace: string; readonly suffix: string } {
  const colon = subject.indexOf(':');
  return { namespace: subject.slice(0, colon), suffix: subject.slice(colon + 1) };
}
