/**
 * A drop-in for `Math.random` that yields the same sequence in [0, 1) for the same 32-bit `seed`.
 *
 * Mulberry32 (Tommy Ettinger, 2017): a Weyl sequence with step 0x6D2B79F5, then two xorshift-multiply rounds. Period 2^32.
 * Good enough to drive tests and load, not for cryptography.
 */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
