const staleHigh = 0x7ff00000;
const staleLow = 0x00000002;
const littleEndian = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

/** Writes the stale marker at `index`, bit for bit. */
export function writeStale(values: Float64Array, index: number): void {
  const words = new Uint32Array(values.buffer, values.byteOffset + index * 8, 2);
  words[littleEndian ? 1 : 0] = staleHigh;
  words[littleEndian ? 0 : 1] = staleLow;
}

/** Whether `values[index]` is the stale marker, not any other NaN. */
export function isStale(values: Float64Array, index: number): boolean {
  const value = values[index] as number;
  if (!Number.isNaN(value)) return false;
  const words = new Uint32Array(values.buffer, values.byteOffset + index * 8, 2);
  return words[littleEndian ? 1 : 0] === staleHigh && words[littleEndian ? 0 : 1] === staleLow;
}
