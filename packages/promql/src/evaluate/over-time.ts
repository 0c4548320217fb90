import { CompensatedMean, CompensatedSum, quantile } from './numerics.ts';
import type { WindowFunction } from './samples.ts';

const mean = new CompensatedMean();
const sum = new CompensatedSum();

/**
 * The compensated sum of a window, in local variables for pace, left in `total` and `correction`. Says whether all stayed
 * finite: where not, the general forms below decide.
 */
function addUp(values: Float64Array, from: number, to: number): boolean {
  total = values[from] as number;
  correction = 0;
  let running = total;
  let lost = 0;
  for (let i = from + 1; i < to; i++) {
    const value = values[i] as number;
    const next = running + value;
    lost += Math.abs(running) >= Math.abs(value) ? running - next + value : value - next + running;
    running = next;
  }
  total = running;
  correction = lost;
  return Number.isFinite(running) && Number.isFinite(lost);
}

let total = 0;
let correction = 0;

export const averageOverTime: WindowFunction = ({ values, from, to }) => {
  if (addUp(values, from, to)) return total / (to - from) + correction / (to - from);
  mean.reset();
  for (let i = from; i < to; i++) mean.add(values[i] as number);
  return mean.mean;
};

export const sumOverTime: WindowFunction = ({ values, from, to }) => {
  if (addUp(values, from, to)) return total + correction;
  sum.reset();
  for (let i = from; i < to; i++) sum.add(values[i] as number);
  return sum.total;
};

export const countOverTime: WindowFunction = ({ from, to }) => to - from;

export const presentOverTime: WindowFunction = () => 1;

export const firstOverTime: WindowFunction = ({ values, from }) => values[from] as number;

export const lastOverTime: WindowFunction = ({ values, to }) => values[to - 1] as number;

export const changes: WindowFunction = ({ values, from, to }) => {
  let count = 0;
  for (let i = from + 1; i < to; i++) {
    const value = values[i] as number;
    const previous = values[i - 1] as number;
    if (value !== previous && !(Number.isNaN(value) && Number.isNaN(previous))) count++;
  }
  return count;
};

export const resets: WindowFunction = ({ values, from, to }) => {
  let count = 0;
  for (let i = from + 1; i < to; i++) if ((values[i] as number) < (values[i - 1] as number)) count++;
  return count;
};

const meanSum = new CompensatedSum();
const squares = new CompensatedSum();

/** The population variance, by Welford's recurrence over compensated sums. */
export const varianceOverTime: WindowFunction = ({ values, from, to }) => {
  meanSum.reset();
  squares.reset();
  for (let i = from; i < to; i++) {
    const value = values[i] as number;
    const delta = value - (meanSum.sum + meanSum.correction);
    meanSum.add(delta / (i - from + 1));
    squares.add(delta * (value - (meanSum.sum + meanSum.correction)));
  }
  return (squares.sum + squares.correction) / (to - from);
};

export const deviationOverTime: WindowFunction = (window) => Math.sqrt(varianceOverTime(window));

/** `phi` holds the quantile asked at each step. */
export function quantileOverTime(phi: Float64Array): WindowFunction {
  return ({ values, from, to, step }) => quantile(phi[step] as number, values.slice(from, to));
}
