import { CacheError } from '../errors.ts';
import type { Policy } from '../policy.ts';

/** What the cache calls of a Standard Schema (https://standardschema.dev): zod, valibot, arktype and others have it. */
export interface StandardSchema<T = unknown> {
  readonly '~standard': {
    readonly version: 1;
    validate(value: unknown): SchemaResult<T> | Promise<SchemaResult<T>>;
  };
}

/** A validated value, or the issues found. */
export type SchemaResult<T> =
  | { readonly value: T; readonly issues?: undefined }
  | { readonly issues: readonly unknown[] };

/**
 * The value as the schema hands it back, which is what readers get. An `undefined` or `null` that the schema refuses passes:
 * it says that there is no value. Rejects with `ERR_WEIR_CACHE_INVALID_VALUE` for anything else that has issues.
 */
export async function applySchema(
  schema: StandardSchema,
  value: unknown,
  definition: string | undefined,
): Promise<unknown> {
  const result = await schema['~standard'].validate(value);
  if (result.issues === undefined) return result.value;
  if (value === undefined || value === null) return value;
  const [first] = result.issues as readonly { readonly message?: unknown }[];
  throw new CacheError(
    'ERR_WEIR_CACHE_INVALID_VALUE',
    `A value of \`${definition}\` does not satisfy its schema: ${String(first?.message ?? 'no reason given').slice(0, 200)} (${result.issues.length} issue(s), listed in \`cause\`). Correct the load or the schema.`,
    { cause: result.issues },
  );
}

/**
 * A new value as the cache keeps it: itself, itself deeply frozen, or a copy that nobody outside can change. Throws for
 * what cannot be frozen or copied.
 */
export function keep(value: unknown, mode: Policy['values']): unknown {
  if (mode === 'shared' || typeof value !== 'object' || value === null) return value;
  return mode === 'cloned' ? structuredClone(value) : deepFreeze(value);
}

/** A kept value as one reader gets it. What has no copy was not kept: the readers who wait for its load share it. */
export function handOut(value: unknown, isCloned: boolean): unknown {
  if (!isCloned || typeof value !== 'object' || value === null) return value;
  try {
    return structuredClone(value);
  } catch {
    return value;
  }
}

/**
 * Freezes everything that is reached by enumerable properties and by the items of Map and Set, through objects that are
 * frozen already as well. Map, Set and Date get methods that refuse to change them; typed arrays stay writable.
 */
function deepFreeze<T extends object>(root: T): T {
  const reached = new Set<object>([root]);
  const reach = (item: unknown) => {
    if (typeof item === 'object' && item !== null) reached.add(item);
  };
  // The set is a queue too: what is added during the walk is walked later.
  for (const object of reached) {
    if (ArrayBuffer.isView(object)) continue;
    // Of other objects a hidden property may lead to a connection or a whole program.
    const isData = object instanceof Error || Array.isArray(object) || isPlainObject(object);
    for (const key of Reflect.ownKeys(object)) {
      const property = Object.getOwnPropertyDescriptor(object, key);
      if (property?.enumerable || isData) reach(property?.value);
    }
    if (object instanceof URL) reach(object.searchParams);
    if (object instanceof Map) for (const pair of object) pair.forEach(reach);
    else if (object instanceof Set) object.forEach(reach);
    if (Object.isExtensible(object)) {
      for (const [type, refusals] of mutators) {
        if (object instanceof type) Object.defineProperties(object, refusals);
      }
    }
    Object.freeze(object);
  }
  return root;
}

function isPlainObject(object: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(object);
  return prototype === Object.prototype || prototype === null;
}

// What changes such an object without changing a property of it, which freezing does not prevent.
const mutators: readonly (readonly [type: new (...args: never[]) => object, PropertyDescriptorMap])[] = [
  [Map, refusalsOf(Map, ['set', 'delete', 'clear', 'getOrInsert', 'getOrInsertComputed'])],
  [Set, refusalsOf(Set, ['add', 'delete', 'clear'])],
  [
    Date,
    refusalsOf(
      Date,
      Object.getOwnPropertyNames(Date.prototype).filter((name) => name.startsWith('set')),
    ),
  ],
  [URL, refusalsOf(URL, settersOf(URL.prototype))],
  [URLSearchParams, refusalsOf(URLSearchParams, ['append', 'delete', 'set', 'sort'])],
];

function settersOf(prototype: object): readonly string[] {
  const properties = Object.entries(Object.getOwnPropertyDescriptors(prototype));
  return properties.filter(([, { set }]) => set !== undefined).map(([name]) => name);
}

function refusalsOf(
  type: { readonly name: string; readonly prototype: object },
  names: readonly string[],
): PropertyDescriptorMap {
  const refuse = () => {
    throw new TypeError(`Cannot change a cached ${type.name}: its readers share it. Copy it first.`);
  };
  // Not enumerable, so that it is still equal to one that is not frozen.
  const refusals: PropertyDescriptorMap = {};
  for (const name of names) {
    const own = Object.getOwnPropertyDescriptor(type.prototype, name);
    if (own?.set !== undefined) refusals[name] = { get: own.get, set: refuse } as PropertyDescriptor;
    else if (own !== undefined) refusals[name] = { value: refuse };
  }
  return refusals;
}

/**
 * Roughly how many bytes of heap a value keeps alive: two a character, eight a number, and V8's usual overhead for
 * objects. Shared parts count once. Costs one walk, so it is used only where a caller bounds L1 by bytes.
 */
export function sizeOf(value: unknown): number {
  let bytes = 0;
  const objects = new Set<object>();
  const add = (part: unknown) => {
    if (typeof part === 'string') bytes += 16 + part.length * 2;
    else if (typeof part === 'bigint') bytes += 24;
    else if (typeof part !== 'object' || part === null || objects.has(part)) bytes += 8;
    else objects.add(part);
  };
  add(value);
  // The set is a queue too: what is added during the walk is walked later, however deep it lies.
  for (const object of objects) {
    if (ArrayBuffer.isView(object)) bytes += 96 + object.byteLength;
    else if (object instanceof ArrayBuffer) bytes += 64 + object.byteLength;
    else bytes += 56 + partsOf(object, add);
  }
  return bytes;
}

/** Hands every part of an object to `add`; the bytes of their places. */
function partsOf(object: object, add: (part: unknown) => void): number {
  if (object instanceof Map) {
    for (const pair of object) pair.forEach(add);
    return object.size * 16;
  }
  if (object instanceof Set || Array.isArray(object)) {
    for (const item of object) add(item);
    return (Array.isArray(object) ? object.length : object.size) * 8;
  }
  const keys = Object.keys(object);
  for (const key of keys) add((object as Record<string, unknown>)[key]);
  return keys.length * 8;
}

const glancedParts = 32;

/**
 * The characters and bytes of a value, and of what lies directly in it if that is an array or a plain object: what is heavy is
 * nearly always a string or a buffer near the top. Costs a look at 32 parts at most. Never throws.
 */
export function sizeAtAGlance(value: unknown): number {
  if (typeof value !== 'object' || value === null) return weightOf(value);
  if (Array.isArray(value)) {
    const step = Math.max(1, Math.ceil(value.length / glancedParts));
    let bytes = 8 * value.length;
    for (let index = 0; index < value.length; index += step) bytes += weightOf(value[index]) * step;
    return bytes + 8;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return weightOf(value);
  let bytes = 8;
  let parts = 0;
  try {
    for (const key in value) {
      if (parts >= glancedParts) break;
      parts += 1;
      bytes += weightOf((value as Record<string, unknown>)[key]);
    }
  } catch {
    // A getter threw: what the others are counts.
  }
  return bytes;
}

function weightOf(part: unknown): number {
  if (typeof part === 'string') return 8 + part.length * 2;
  return ArrayBuffer.isView(part) || part instanceof ArrayBuffer ? 8 + part.byteLength : 8;
}
