import type { Algorithm } from './algorithm.ts';

/**
 * Sliding counter: two aligned fixed windows, the earlier one weighted by how much of it the sliding window still
 * covers. With e the time since the current window began:
 *
 *     previous·(W − e)/W + current + units ≤ N
 *
 * State: start of the current window, current, previous. The weighting assumes that the previous window's units came
 * evenly. When they all came at its end, a window W can see just under 2N; spread traffic sees about N.
 */
export const slidingCounter: Algorithm = {
  cells: () => 3,

  available(parameters, cells, at, now) {
    const { limit, windowUs } = parameters;
    const [start, current, previous] = rolled(cells, at, now, windowUs);
    const free = limit - current - (previous * (windowUs - elapsed(start, now))) / windowUs;
    return free <= 0 ? 0 : Math.floor(free);
  },

  debit(parameters, cells, at, now, units) {
    const [start, current, previous] = rolled(cells, at, now, parameters.windowUs);
    cells[at] = start;
    cells[at + 1] = Math.min(current + units, 2 * parameters.limit);
    cells[at + 2] = previous;
  },

  credit(parameters, cells, at, now, units) {
    const [start, current, previous] = rolled(cells, at, now, parameters.windowUs);
    const fromCurrent = Math.min(current, units);
    cells[at] = start;
    cells[at + 1] = current - fromCurrent;
    cells[at + 2] = Math.max(previous - (units - fromCurrent), 0);
  },

  waitUs(parameters, cells, at, now, units) {
    if (slidingCounter.available(parameters, cells, at, now) >= units) return 0;
    const { limit, windowUs } = parameters;
    const [start, current, previous] = rolled(cells, at, now, windowUs);
    const since = elapsed(start, now);
    const leaves = limit - current - units;
    // Within this window the previous one's share must fall to what the current one leaves …
    if (leaves >= 0) return Math.max(Math.ceil(windowUs - (leaves * windowUs) / previous) + 1 - since, 1);
    // … else the current window must become the previous one first.
    const intoNext = Math.ceil(windowUs - ((limit - units) * windowUs) / current) + 1;
    return windowUs - since + Math.max(intoNext, 0);
  },

  resetUs(parameters, cells, at, now) {
    const { windowUs } = parameters;
    const [start, current, previous] = rolled(cells, at, now, windowUs);
    const left = windowUs - elapsed(start, now);
    if (current > 0) return left + windowUs;
    return previous > 0 ? left : 0;
  },

  worstBurst: ({ limit }) => 2 * limit,
};

function elapsed(start: number, now: number): number {
  return now <= start ? 0 : now - start;
}

/** Start, current and previous as of `now`: windows that have passed shift out. */
function rolled(cells: Float64Array, at: number, now: number, windowUs: number): [number, number, number] {
  const start = cells[at] as number;
  const passed = now - start;
  if (passed < windowUs) return [start, cells[at + 1] as number, cells[at + 2] as number];
  const aligned = Math.floor(now / windowUs) * windowUs;
  return passed < 2 * windowUs ? [aligned, 0, cells[at + 1] as number] : [aligned, 0, 0];
}
