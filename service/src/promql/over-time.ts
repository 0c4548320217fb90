import { CompensatedMean, CompensatedSum, quantile } from './numerics.ts';
import type { WindowFunction } from './range-windows.ts';

const mean = new CompensatedMean();
const sum = new CompensatedSum();

export const averageOverTime: WindowFunction = ({ values, from, to }) => {
  mean.reset();
  for (let i = from; i < to; i++) mean.add(values[i] as number);
  return mean.mean;
};

export const sumOverTime: WindowFunction = ({ values, from, to }) => {
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
