import type { Algorithm } from './algorithm.ts';

/**
 * Token bucket with refills in steps: b tokens at most; every I another r = N·I/W arrive together.
 *
 *     k = ⌊(now − refilled)/I⌋,   used ← max(0, used − k·r),   refilled ← refilled + k·I,   used + units ≤ b
 *
 * State: tokens used, time of the last refill. The steps of a key start when it leaves the full bucket. Any closed
 * window W admits at most b + ⌈W/I⌉·min(r, b): what the bucket holds at its start, and the refills after that. Where I
 * divides W and r ≤ b, this is b + N. A continuous refill is GCRA.
 */
export const tokenBucket: Algorithm = {
  cells: () => 2,

  available(parameters, cells, at, now) {
    const free = parameters.capacity - used(parameters.intervalUs, parameters.refill, cells, at, now);
    return Math.max(free, 0);
  },

  debit(parameters, cells, at, now, units) {
    const { intervalUs, refill, capacity } = parameters;
    const before = used(intervalUs, refill, cells, at, now);
    cells[at + 1] = before === 0 ? now : refilledAt(intervalUs, cells, at, now);
    cells[at] = Math.min(before + units, 2 * capacity);
  },

  credit(parameters, cells, at, now, units) {
    const { intervalUs, refill } = parameters;
    const after = used(intervalUs, refill, cells, at, now) - units;
    cells[at + 1] = refilledAt(intervalUs, cells, at, now);
    cells[at] = Math.max(after, 0);
  },

  waitUs(parameters, cells, at, now, units) {
    const { intervalUs, refill, capacity } = parameters;
    const missing = used(intervalUs, refill, cells, at, now) + units - capacity;
    if (missing <= 0) return 0;
    return refilledAt(intervalUs, cells, at, now) + Math.ceil(missing / refill) * intervalUs - now;
  },

  resetUs(parameters, cells, at, now) {
    const { intervalUs, refill } = parameters;
    const taken = used(intervalUs, refill, cells, at, now);
    if (taken === 0) return 0;
    return refilledAt(intervalUs, cells, at, now) + Math.ceil(taken / refill) * intervalUs - now;
  },

  worstBurst: ({ capacity, windowUs, intervalUs, refill }) =>
    capacity + Math.ceil(windowUs / intervalUs) * Math.min(refill, capacity),
};

function refills(intervalUs: number, cells: Float64Array, at: number, now: number): number {
  const passed = now - (cells[at + 1] as number);
  return passed < intervalUs ? 0 : Math.floor(passed / intervalUs);
}

function used(intervalUs: number, refill: number, cells: Float64Array, at: number, now: number): number {
  const taken = cells[at] as number;
  if (taken === 0) return 0;
  const left = taken - refills(intervalUs, cells, at, now) * refill;
  return Math.max(left, 0);
}

/** The last step at or before `now`; one in the future (a clock that stepped back) counts as now. */
function refilledAt(intervalUs: number, cells: Float64Array, at: number, now: number): number {
  return Math.min((cells[at + 1] as number) + refills(intervalUs, cells, at, now) * intervalUs, now);
}
