import type { Cache } from './cache.ts';
import { tag, Untaggable } from './codec/tagging.ts';
import type { Definition } from './definition.ts';
import { CacheError, invalidOption } from './errors.ts';
import type { PolicyOptions } from './policies/policy.ts';

/** How a wrapped function's results are named, keyed and kept. */
export interface WrapOptions<A extends readonly unknown[]> extends PolicyOptions {
  /** Names the definition. Default: the function's own name. */
  readonly name?: string;
  /**
   * Default: the arguments as tagged JSON. They must then be plain data, `Date`, `BigInt` and the like; a call with
   * anything else rejects with `ERR_WEIR_CACHE_INVALID_KEY`.
   */
  readonly key?: (...args: A) => string;
  readonly tags?: readonly string[] | ((...args: A) => readonly string[]);
}

/** A function whose results are cached, and the definition behind it. */
export interface Wrapped<A extends readonly unknown[], V> {
  (...args: A): Promise<V>;
  /** Takes the arguments as one array: `wrapped.definition.delete([42])`. */
  readonly definition: Definition<A, V>;
}

/** `cache.wrap`: the same signature, promised. */
export function wrap<A extends readonly unknown[], V>(
  cache: Cache,
  fn: (...args: A) => V | Promise<V>,
  options: WrapOptions<A>,
): Wrapped<A, V> {
  if (typeof fn !== 'function') throw invalidOption('fn', 'a function', fn);
  const { name = fn.name, key, tags, ...policy } = options;
  if (key !== undefined && typeof key !== 'function') {
    throw invalidOption('key', 'a function of the arguments', key);
  }
  const definition = cache.define<A, V>(name, {
    ...policy,
    key: key === undefined ? (args) => keyOf(name, args) : (args) => key(...args),
    load: (args) => fn(...args),
    ...(tags !== undefined && { tags: typeof tags === 'function' ? (args: A) => tags(...args) : tags }),
  });
  return Object.assign((...args: A) => definition.get(args), { definition });
}

function keyOf(name: string, args: readonly unknown[]): string {
  try {
    return JSON.stringify(tag(args));
  } catch (cause) {
    const what = cause instanceof Untaggable ? cause.message : 'a value that cannot be read';
    throw new CacheError(
      'ERR_WEIR_CACHE_INVALID_KEY',
      `Cannot make a key of the arguments of \`${name}\`: they contain ${what}. Pass the option \`key\` to \`cache.wrap\`: a function that makes a string of them.`,
      { cause },
    );
  }
}
