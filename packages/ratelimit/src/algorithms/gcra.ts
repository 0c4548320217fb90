import { timeOriginUs } from '../clock.ts';
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
 * TAT is a multiple of 1/16 µs, rounded up, so every time is exact in a double: no rounding ever grants a unit.
 *
 * TAT − now is time, which means other units under another T. So a record says under which T its TAT was written, and a
 * decision under another one (raised limits) converts it. One policy alone in a record keeps T in the record's first
 * cell while the key is not blocked: T is below every time. Beside others each has a cell of its own.
 */
export const gcra: Algorithm = {
  cells: ({ intervalCell }) => (intervalCell > 0 ? 2 : 1),

  available(parameters, cells, at, now) {
    return conformingUnits(parameters, backlogUs(parameters, cells, at, now));
  },

  debit(parameters, cells, at, now, units) {
    const { capacity, intervalUs } = parameters;
    const next = backlogUs(parameters, cells, at, now) + units * intervalUs;
    setBacklog(parameters, cells, at, now, Math.min(next, 2 * capacity * intervalUs));
  },

  credit(parameters, cells, at, now, units) {
    const next = backlogUs(parameters, cells, at, now) - units * parameters.intervalUs;
    if (next <= 0) cells[at] = 0;
    else setBacklog(parameters, cells, at, now, next);
  },

  waitUs(parameters, cells, at, now, units) {
    return Math.max(excessUs(parameters, backlogUs(parameters, cells, at, now), units), 0);
  },

  resetUs: backlogUs,

  worstBurst: ({ capacity, windowUs, intervalUs }) => capacity + Math.floor(windowUs / intervalUs),
};

/**
 * TAT − now under the policy's T, within [0, 2bT]. Above it only a clock that stepped back or a lowered limit can lie; the
 * cap keeps such a key from starving.
 */
export function backlogUs(parameters: Parameters, cells: Float64Array, at: number, now: number): number {
  const { capacity, intervalUs, intervalCell } = parameters;
  let behind = (cells[at] as number) - now;
  if (behind <= 0) return 0;
  const written = cells[at + intervalCell] as number;
  if (written !== intervalUs && written > 0 && written < timeOriginUs)
    behind = roundUp((behind / written) * intervalUs);
  return Math.min(behind, 2 * capacity * intervalUs);
}

/** Whole units that conform behind a backlog of `behindUs`. */
export function conformingUnits({ capacity, intervalUs }: Parameters, behindUs: number): number {
  const freeUs = capacity * intervalUs - behindUs;
  return freeUs <= 0 ? 0 : Math.floor(freeUs / intervalUs);
}

/** By how much `units` behind a backlog of `behindUs` exceed the burst; 0 or less when they conform. */
export function excessUs({ capacity, intervalUs }: Parameters, behindUs: number, units: number): number {
  return behindUs + units * intervalUs - capacity * intervalUs;
}

/** Sets TAT to `behind` µs from now, rounded up, and returns that. The end of a block stays. */
export function setBacklog(
  parameters: Parameters,
  cells: Float64Array,
  at: number,
  now: number,
  behind: number,
): number {
  const { intervalUs, intervalCell } = parameters;
  const rounded = roundUp(behind);
  cells[at] = now + rounded;
  if (intervalCell > 0 || (cells[at + intervalCell] as number) <= now) cells[at + intervalCell] = intervalUs;
  return rounded;
}

function roundUp(us: number): number {
  return Math.ceil(us * 16) / 16;
}

/** Above this rate a sixteenth of a µs would be more than 1 % of T. */
const coarseUs = 100 / 16;

/**
 * T for `limit` units a window, rounded up: to sixteenths of a µs, which is at most 1 % slow; for rates above 160,000
 * units a second to 20 bits or more, of which any number of units has an exact multiple.
 */
export function gcraIntervalUs(limit: number, windowUs: number): number {
  let steps = 16;
  if (windowUs < limit * coarseUs) while (windowUs * steps < limit * 2 ** 20) steps *= 2;
  return Math.ceil((windowUs * steps) / limit) / steps;
}

/** T of the strict form: the rate that leaves room for the burst. A burst of N leaves none, so T exceeds the window. */
export function strictIntervalUs(limit: number, burst: number, windowUs: number): number {
  return burst >= limit ? windowUs + 1 : gcraIntervalUs(limit - burst, windowUs);
}
