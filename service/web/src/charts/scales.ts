import uPlot from 'uplot';
import type { ChartModel } from './chart-model.ts';

/** Scales of a chart: time exactly as asked for, values from the model's bounds or the data's. */
export function chartScales(model: ChartModel, range: () => readonly [number, number]): uPlot.Scales {
  return {
    x: { time: model.elapsed !== true, range: () => [...range()] as [number, number] },
    y: model.log
      ? { distr: 3, range: (_, low, high) => uPlot.rangeLog(low ?? 1e-3, high ?? 1, 10, true) }
      : { range: (_, low, high) => valueRange(model, low, high) },
  };
}

/** Bounds with air above the highest value; a chart of nothing but zeros still has a height. */
export function valueRange(
  { min, max }: Pick<ChartModel, 'min' | 'max'>,
  low: number | null,
  high: number | null,
): [number, number] {
  const bottom = min ?? Math.min(0, low ?? 0);
  if (max !== undefined && (high ?? 0) <= max) return [bottom, max];
  const top = high ?? bottom;
  if (top <= bottom) return [bottom, bottom + 1];
  return [bottom, top + (top - bottom) * 0.1];
}
