import type { Algorithm } from './algorithm.ts';

/**
 * Fixed window: N units from the first request of a key until W later, then anew. State: window start, units used.
 *
 *     used + units ≤ N     within [start, start + W)
 *
 * Windows begin with a key's first request, so keys do not all reset in one instant. Any closed window W overlaps at
 * most two of them: at most 2N, all of it possible around one edge.
 */
export const fixedWindow: Algorithm = {
  cells: () => 2,

  available(parameters, cells, at, now) {
    const free = parameters.limit - used(cells, at, now, parameters.windowUs);
    return Math.max(free, 0);
  },

  debit(parameters, cells, at, now, units) {
    const before = used(cells, at, now, parameters.windowUs);
    if (before === 0) cells[at] = now;
    cells[at + 1] = Math.min(before + units, 2 * parameters.limit);
  },

  credit(parameters, cells, at, now, units) {
    const after = used(cells, at, now, parameters.windowUs) - units;
    cells[at + 1] = Math.max(after, 0);
  },

  waitUs(parameters, cells, at, now, units) {
    const before = used(cells, at, now, parameters.windowUs);
    return before + units <= parameters.limit ? 0 : remainder(cells, at, now, parameters.windowUs);
  },

  resetUs(parameters, cells, at, now) {
    return used(cells, at, now, parameters.windowUs) === 0
      ? 0
      : remainder(cells, at, now, parameters.windowUs);
  },

  worstBurst: ({ limit }) => 2 * limit,
};

function used(cells: Float64Array, at: number, now: number, windowUs: number): number {
  return now - (cells[at] as number) >= windowUs ? 0 : (cells[at + 1] as number);
}

/** Time left of the window; a start in the future (a clock that stepped back) counts as a start now. */
function remainder(cells: Float64Array, at: number, now: number, windowUs: number): number {
  return Math.min((cells[at] as number) + windowUs - now, windowUs);
}
