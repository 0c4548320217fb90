import type { Algorithm } from './algorithm.ts';

/**
 * Sliding counter: two aligned fixed windows, the earlier one weighted by how much of it the sliding window still
 * covers. With e the time since the current window began:
 *
 *     previous·(W − e)/W + current + units ≤ N
 *
 * State: start of the current window, current, previous, and the W that they were written under. A longer W counts the same
 * units for longer. A shorter one waits for the end of the longer window, whose units the longer W must not forget. The weighting assumes that the previous window's units came
 * evenly. When they all came at its end, a window W can see just under 2N; spread traffic sees about N.
 */
export const slidingCounter: Algorithm = {
  cells: () => 4,

  available(parameters, cells, at, now) {
    const { limit } = parameters;
    const [start, current, previous, windowUs] = rolled(cells, at, now, parameters.windowUs);
    const free = limit - current - (previous * (windowUs - elapsed(start, now))) / windowUs;
    return free <= 0 ? 0 : Math.floor(free);
  },

  debit(parameters, cells, at, now, units) {
    const [start, current, previous, windowUs] = rolled(cells, at, now, parameters.windowUs);
    cells[at] = start;
    cells[at + 1] = Math.min(current + units, 2 * parameters.limit);
    cells[at + 2] = previous;
    cells[at + 3] = windowUs;
  },

  credit(parameters, cells, at, now, units) {
    const [start, current, previous, windowUs] = rolled(cells, at, now, parameters.windowUs);
    const fromCurrent = Math.min(current, units);
    cells[at] = start;
    cells[at + 1] = current - fromCurrent;
    cells[at + 2] = Math.max(previous - (units - fromCurrent), 0);
    cells[at + 3] = windowUs;
  },

  waitUs(parameters, cells, at, now, units) {
    if (slidingCounter.available(parameters, cells, at, now) >= units) return 0;
    const { limit } = parameters;
    const [start, current, previous, windowUs] = rolled(cells, at, now, parameters.windowUs);
    const since = elapsed(start, now);
    const leaves = limit - current - units;
    // Within this window the previous one's share must fall to what the current one leaves …
    if (leaves >= 0) return Math.max(Math.ceil(windowUs - (leaves * windowUs) / previous) + 1 - since, 1);
    // … else the current window must become the previous one first.
    const intoNext = Math.ceil(windowUs - ((limit - units) * windowUs) / current) + 1;
    return windowUs - since + Math.max(intoNext, 0);
  },

  resetUs(parameters, cells, at, now) {
    const [start, current, previous, windowUs] = rolled(cells, at, now, parameters.windowUs);
    const left = windowUs - elapsed(start, now);
    if (current > 0) return left + windowUs;
    return previous > 0 ? left : 0;
  },

  worstBurst: ({ limit }) => 2 * limit,
};

function elapsed(start: number, now: number): number {
  return now <= start ? 0 : now - start;
}

/** Start, current, previous and W as of `now`: windows that have passed shift out. W is the longer one until that ends. */
function rolled(
  cells: Float64Array,
  at: number,
  now: number,
  windowUs: number,
): [number, number, number, number] {
  let start = cells[at] as number;
  let current = cells[at + 1] as number;
  let previous = cells[at + 2] as number;
  const written = cells[at + 3] as number;
  if (written > windowUs) {
    if (now - start < written) return [start, current, previous, written];
    start += written;
    previous = current;
    current = 0;
  }
  const passed = now - start;
  if (passed < windowUs) return [start, current, previous, windowUs];
  if (passed < 2 * windowUs) return [start + windowUs, 0, current, windowUs];
  return [Math.floor(now / windowUs) * windowUs, 0, 0, windowUs];
}
