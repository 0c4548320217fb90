/** Blocks are short so that kills fall into sealing as well. */
export const crashLayout = { blockMs: 60_000, retentionMs: 10 * 365 * 86_400_000 } as const;

/** Every so many steps a benchmark run is recorded as finished. */
export const resultEvery = 10;

export function stepMs(step: number): number {
  return Date.UTC(2026, 0, 1) + step * 1_000;
}

/** What series `i` holds at a step: some constant, some counting, some with full mantissas. */
export function expectedValue(i: number, step: number): number {
  if (i % 3 === 0) return i;
  return i % 3 === 1 ? step * i : Math.sin(step * (i + 1));
}
