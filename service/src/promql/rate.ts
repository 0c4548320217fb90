import type { RangeSeries, Window, WindowFunction } from './range-windows.ts';

/**
 * Prometheus' extrapolation: the change between a window's first and last sample, counter resets undone, stretched to
 * the window's ends where a sample is near them (1.1 × the mean distance of samples), else by half that
 * distance; a counter is not stretched below zero.
 */
export function extrapolated(
  rangeMs: number,
  kind: { readonly counter: boolean; readonly perSecond: boolean },
): (series: RangeSeries) => WindowFunction {
  return ({ values }) => {
    const resets = kind.counter ? resetIndices(values) : [];
    let firstReset = 0;
    return (window) => {
      const { timestamps, from, to } = window;
      const last = to - 1;
      if (last === from) return none(window);
      let result = (values[last] as number) - (values[from] as number);
      while (firstReset < resets.length && (resets[firstReset] as number) <= from) firstReset++;
      for (let i = firstReset; i < resets.length && (resets[i] as number) <= last; i++)
        result += values[(resets[i] as number) - 1] as number;
      const firstMs = timestamps[from] as number;
      const lastMs = timestamps[last] as number;
      const sampled = (lastMs - firstMs) / 1000;
      const mean = sampled / (last - from);
      let toStart = (firstMs - window.startMs) / 1000;
      let toEnd = (window.endMs - lastMs) / 1000;
      if (toStart >= mean * 1.1) toStart = mean / 2;
      if (kind.counter) {
        const first = values[from] as number;
        const toZero = result > 0 && first >= 0 ? sampled * (first / result) : toStart;
        if (toZero < toStart) toStart = toZero;
      }
      if (toEnd >= mean * 1.1) toEnd = mean / 2;
      let factor = (sampled + toStart + toEnd) / sampled;
      if (kind.perSecond) factor /= rangeMs / 1000;
      return result * factor;
    };
  };
}

/** The indices whose value is below the one before. */
function resetIndices(values: Float64Array): number[] {
  const indices: number[] = [];
  for (let i = 1; i < values.length; i++)
    if ((values[i] as number) < (values[i - 1] as number)) indices.push(i);
  return indices;
}

/** `irate` and `idelta`: the change between the last two samples. */
export function instantChange(counter: boolean): WindowFunction {
  return (window) => {
    const { timestamps, values, from, to } = window;
    if (to - from < 2) return none(window);
    const last = values[to - 1] as number;
    const previous = values[to - 2] as number;
    const change = counter && last < previous ? last : last - previous;
    if (!counter) return change;
    return change / (((timestamps[to - 1] as number) - (timestamps[to - 2] as number)) / 1000);
  };
}

/** Tells the caller that the window has no result. */
export function none(window: Window): number {
  window.empty = true;
  return 0;
}
