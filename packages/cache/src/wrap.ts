import type { Cache } from './cache.ts';
import { tag } from './codec/tagging.ts';
import type { Definition } from './definition.ts';
import type { PolicyOptions } from './policies/policy.ts';

/** How a wrapped function's results are named, keyed and kept. */
export interface WrapOptions<A extends readonly unknown[]> extends PolicyOptions {
  /** Names the definition. Default: the function's own name. */
  readonly name?: string;
  /** Default: the arguments as tagged JSON; they must then be plain data, `Date`, `BigInt` and the like. */
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
  const { name = fn.name, key, tags, ...policy } = options;
  const definition = cache.define<A, V>(name, {
    ...policy,
    key: key === undefined ? (args) => JSON.stringify(tag(args)) : (args) => key(...args),
    load: (args) => fn(...args),
    ...(tags !== undefined && { tags: typeof tags === 'function' ? (args: A) => tags(...args) : tags }),
  });
  return Object.assign((...args: A) => definition.get(args), { definition });
}
