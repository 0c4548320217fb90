/**
 * Roughly how many bytes of heap a value keeps alive: two a character, eight a number, and V8's usual overhead for
 * objects. Shared parts count once. Costs one walk, so it is used only where L1 is bounded by bytes.
 */
export function sizeOf(value: unknown, seen: Set<object> = new Set()): number {
  switch (typeof value) {
    case 'string':
      return 16 + value.length * 2;
    case 'bigint':
      return 24;
    case 'object':
      return value === null || seen.has(value) ? 8 : sizeOfObject(value, seen);
    default:
      return 8;
  }
}

function sizeOfObject(value: object, seen: Set<object>): number {
  seen.add(value);
  if (ArrayBuffer.isView(value)) return 96 + value.byteLength;
  if (value instanceof ArrayBuffer) return 64 + value.byteLength;
  let bytes = 56;
  if (value instanceof Map) {
    for (const [key, item] of value) bytes += 16 + sizeOf(key, seen) + sizeOf(item, seen);
  } else if (value instanceof Set || Array.isArray(value)) {
    for (const item of value) bytes += 8 + sizeOf(item, seen);
  } else {
    for (const key of Object.keys(value)) bytes += 8 + sizeOf((value as Record<string, unknown>)[key], seen);
  }
  return bytes;
}
