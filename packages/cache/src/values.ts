import type { Policy } from './policies/policy.ts';

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
    for (const key of Reflect.ownKeys(object)) {
      const property = Object.getOwnPropertyDescriptor(object, key);
      if (property?.enumerable) reach(property.value);
    }
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

// What changes such an object without changing a property of it, which freezing does not prevent.
const mutators: readonly (readonly [type: typeof Map | typeof Set | typeof Date, PropertyDescriptorMap])[] = [
  [Map, refusalsOf(Map, ['set', 'delete', 'clear', 'getOrInsert', 'getOrInsertComputed'])],
  [Set, refusalsOf(Set, ['add', 'delete', 'clear'])],
  [
    Date,
    refusalsOf(
      Date,
      Object.getOwnPropertyNames(Date.prototype).filter((name) => name.startsWith('set')),
    ),
  ],
];

function refusalsOf(
  type: { readonly name: string; readonly prototype: object },
  names: readonly string[],
): PropertyDescriptorMap {
  const refuse = () => {
    throw new TypeError(`Cannot change a cached ${type.name}: its readers share it. Copy it first.`);
  };
  // Not enumerable, so that it is still equal to one that is not frozen.
  return Object.fromEntries(
    names.filter((name) => name in type.prototype).map((name) => [name, { value: refuse }]),
  );
}
