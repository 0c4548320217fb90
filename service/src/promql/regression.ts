import { CompensatedSum } from './numerics.ts';
import type { Window, WindowFunction } from './range-windows.ts';
import { none } from './rate.ts';

const x = new CompensatedSum();
const y = new CompensatedSum();
const xy = new CompensatedSum();
const xx = new CompensatedSum();

/** The least-squares line through a window: its slope per second and its height at `interceptMs`. */
function regress(window: Window, interceptMs: number): { slope: number; intercept: number } {
  const { timestamps, values, from, to } = window;
  for (const sum of [x, y, xy, xx]) sum.reset();
  const first = values[from] as number;
  let constant = true;
  for (let i = from; i < to; i++) {
    const value = values[i] as number;
    if (value !== first) constant = false;
    const seconds = ((timestamps[i] as number) - interceptMs) / 1000;
    x.add(seconds);
    y.add(value);
    xy.add(seconds * value);
    xx.add(seconds * seconds);
  }
  // A constant line is exact; the sums below would only round it.
  if (constant && !Number.isNaN(first)) {
    if (!Number.isFinite(first)) return { slope: Number.NaN, intercept: Number.NaN };
    return { slope: 0, intercept: first };
  }
  const count = to - from;
  const sumX = x.sum + x.correction;
  const sumY = y.sum + y.correction;
  const covariance = xy.sum + xy.correction - (sumX * sumY) / count;
  const variance = xx.sum + xx.correction - (sumX * sumX) / count;
  const slope = covariance / variance;
  return { slope, intercept: sumY / count - (slope * sumX) / count };
}

export const derivative: WindowFunction = (window) => {
  if (window.to - window.from < 2) return none(window);
  return regress(window, window.timestamps[window.from] as number).slope;
};

/** `seconds` holds how far ahead to look at each step; `timeOf` the evaluation's time of a step. */
export function predictLinear(seconds: Float64Array, timeOf: (step: number) => number): WindowFunction {
  return (window) => {
    if (window.to - window.from < 2) return none(window);
    const { slope, intercept } = regress(window, timeOf(window.step));
    return slope * (seconds[window.step] as number) + intercept;
  };
}
