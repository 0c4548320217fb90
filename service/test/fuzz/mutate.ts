/** Seeds changed at random: bytes, slices, splices of two, pieces from a dictionary; sometimes random bytes alone. */
export function createMutator(
  seeds: readonly Uint8Array[],
  dictionary: readonly string[],
  random: () => number,
): () => Uint8Array {
  const below = (limit: number): number => Math.floor(random() * limit);
  const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const randomBytes = (length: number): Uint8Array => Uint8Array.from({ length }, () => below(256));
  const replace = (bytes: Uint8Array, at: number, removed: number, inserted: Uint8Array): Uint8Array => {
    const result = new Uint8Array(at + inserted.length + Math.max(0, bytes.length - at - removed));
    result.set(bytes.subarray(0, at));
    result.set(inserted, at);
    result.set(bytes.subarray(at + removed), at + inserted.length);
    return result;
  };
  const encoder = new TextEncoder();
  const mutateOnce = (bytes: Uint8Array): Uint8Array => {
    const at = below(bytes.length + 1);
    switch (below(7)) {
      case 0: {
        const copy = bytes.slice();
        if (copy.length > 0) copy[below(copy.length)] = below(256);
        return copy;
      }
      case 1:
        return replace(bytes, at, below(8), new Uint8Array());
      case 2:
        return replace(bytes, at, 0, randomBytes(1 + below(8)));
      case 3:
        return replace(bytes, at, below(4), encoder.encode(pick(dictionary)));
      case 4: {
        const from = below(bytes.length + 1);
        return replace(bytes, at, 0, bytes.subarray(from, from + below(32)));
      }
      case 5: {
        const other = pick(seeds);
        return replace(bytes, at, bytes.length, other.subarray(below(other.length + 1)));
      }
      default:
        return bytes.subarray(0, at);
    }
  };
  return () => {
    if (random() < 0.05) return randomBytes(below(300));
    let bytes = pick(seeds);
    for (let times = 1 + below(6); times > 0; times--) bytes = mutateOnce(bytes);
    return bytes.length > 4_096 ? bytes.subarray(0, 4_096) : bytes;
  };
}
