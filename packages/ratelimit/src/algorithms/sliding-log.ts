import type { Algorithm, Parameters } from './algorithm.ts';

/**
 * Sliding log: the times of the last N units, oldest first, in a ring. `units` conform when the `units`-th oldest is
 * at least W back:
 *
 *     ring[head + units − 1] ≤ now − W − 1 µs
 *
 * Any closed window W admits at most N: exact, at the price of 8·N bytes a key. Checking and taking one unit is O(1).
 * State: head, then N times (0 = never). A debit beyond N rewrites the ring: its debt ends one window later.
 */
export const slidingLog: Algorithm = {
  cells: ({ limit }) => limit + 1,

  available(parameters, cells, at, now) {
    // Times never decrease along the ring: binary search for the first that is still inside the window.
    let low = 0;
    let high = parameters.limit;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (gone(parameters, time(parameters, cells, at, middle), now)) low = middle + 1;
      else high = middle;
    }
    return low;
  },

  debit(parameters, cells, at, now, units) {
    const { limit } = parameters;
    const head = cells[at] as number;
    const written = Math.min(units, limit);
    // After a clock that stepped back the newest entry may lie ahead; the order of the ring must survive.
    const stamp = Math.max(now, time(parameters, cells, at, limit - 1));
    for (let index = 0; index < written; index++) cells[at + 1 + ((head + index) % limit)] = stamp;
    cells[at] = (head + written) % limit;
  },

  credit(parameters, cells, at, now, units) {
    const { limit } = parameters;
    let head = cells[at] as number;
    for (let index = 0; index < units && index < limit; index++) {
      const newest = (head + limit - 1) % limit;
      if (gone(parameters, cells[at + 1 + newest] as number, now)) break;
      cells[at + 1 + newest] = 0;
      head = newest;
    }
    cells[at] = head;
  },

  waitUs(parameters, cells, at, now, units) {
    return until(parameters, time(parameters, cells, at, units - 1), now);
  },

  resetUs(parameters, cells, at, now) {
    return until(parameters, time(parameters, cells, at, parameters.limit - 1), now);
  },

  worstBurst: ({ limit }) => limit,
};

function time(parameters: Parameters, cells: Float64Array, at: number, index: number): number {
  return cells[at + 1 + (((cells[at] as number) + index) % parameters.limit)] as number;
}

function gone(parameters: Parameters, entry: number, now: number): boolean {
  return now - entry > parameters.windowUs;
}

function until(parameters: Parameters, entry: number, now: number): number {
  return gone(parameters, entry, now)
    ? 0
    : Math.min(entry + parameters.windowUs + 1 - now, parameters.windowUs + 1);
}
