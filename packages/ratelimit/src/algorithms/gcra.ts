import type { Algorithm, Parameters } from './algorithm.ts';

/**
 * Generic cell rate algorithm (ITU-T I.371): a key's state is its theoretical arrival time TAT. With T the interval of
 * one unit and b the burst, `units` conform when
 *
 *     max(TAT, now) + units·T − now ≤ b·T        and then   TAT ← max(TAT, now) + units·T
 *
 * Any closed window W admits at most b + ⌊W/T⌋: 2N with burst N and rate N/W. The strict form takes the rate
 * (N − b)/W, hence at most b + (N − b) = N in any window.
 *
 * T is a multiple of 1/16 µs, rounded up, so every time is exact in a double: no rounding ever grants a unit.
 */
export const gcra: Algorithm = {
  cells: () => 1,

  available(parameters, cells, at, now) {
    const { capacity, intervalUs } = parameters;
    const free = capacity * intervalUs - backlog(parameters, cells[at] as number, now);
    return free <= 0 ? 0 : Math.floor(free / intervalUs);
  },

  debit(parameters, cells, at, now, units) {
    const { capacity, intervalUs } = parameters;
    const next = backlog(parameters, cells[at] as number, now) + units * intervalUs;
    cells[at] = now + Math.min(next, 2 * capacity * intervalUs);
  },

  credit(parameters, cells, at, now, units) {
    const next = backlog(parameters, cells[at] as number, now) - units * parameters.intervalUs;
    cells[at] = next <= 0 ? 0 : now + next;
  },

  waitUs(parameters, cells, at, now, units) {
    const { capacity, intervalUs } = parameters;
    const wait = backlog(parameters, cells[at] as number, now) + units * intervalUs - capacity * intervalUs;
    return Math.max(wait, 0);
  },

  resetUs(parameters, cells, at, now) {
    return backlog(parameters, cells[at] as number, now);
  },

  decideAlone({ capacity, intervalUs }, cells, at, now, cost, count, verdict) {
    const whole = capacity * intervalUs;
    let behind = (cells[at] as number) - now;
    if (behind < 0) behind = 0;
    else if (behind > 2 * whole) behind = 2 * whole;
    let available = behind >= whole ? 0 : Math.floor((whole - behind) / intervalUs);
    let granted = count;
    if (available < count * cost) granted = Math.floor(available / cost);
    if (granted > 0) {
      const units = granted * cost;
      behind += units * intervalUs;
      available -= units;
      cells[at] = now + behind;
    }
    const { fields } = verdict;
    verdict.granted = granted;
    fields[0] = available;
    fields[1] = available >= cost ? 0 : behind + cost * intervalUs - whole;
    fields[2] = available >= capacity ? 0 : behind + (available + 1) * intervalUs - whole;
    fields[3] = behind;
    fields[4] = granted;
  },

  worstBurst: ({ capacity, windowUs, intervalUs }) => capacity + Math.floor(windowUs / intervalUs),
};

/** TAT − now within [0, 2bT]. Above it only a clock that stepped back can lie; the cap keeps such a key from starving. */
function backlog(parameters: Parameters, tat: number, now: number): number {
  const ahead = tat - now;
  if (ahead <= 0) return 0;
  const most = 2 * parameters.capacity * parameters.intervalUs;
  return Math.min(ahead, most);
}

/** T for `limit` units a window, in whole sixteenths of a µs, rounded up (at most 1 % slow up to 160,000 units a second). */
export function gcraIntervalUs(limit: number, windowUs: number): number {
  return Math.ceil((windowUs * 16) / limit) / 16;
}

/** T of the strict form: the rate that leaves room for the burst. A burst of N leaves none, so T exceeds the window. */
export function strictIntervalUs(limit: number, burst: number, windowUs: number): number {
  return burst >= limit ? windowUs + 1 : gcraIntervalUs(limit - burst, windowUs);
}
