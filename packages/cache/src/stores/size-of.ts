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
