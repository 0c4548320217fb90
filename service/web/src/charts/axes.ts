import uPlot from 'uplot';
import { formatValue } from '../format/format-value.ts';
import { canvasFont, cssColor, scaled } from '../ui/theme.ts';
import type { ChartModel } from './chart-model.ts';

function look(): Pick<uPlot.Axis, 'stroke' | 'font' | 'grid' | 'ticks'> {
  const grid = cssColor('--grid');
  return {
    stroke: cssColor('--ink-3'),
    font: canvasFont(),
    grid: { stroke: grid, width: 1 },
    ticks: { stroke: grid, width: 1, size: 4 },
  };
}

/** The time axis: as many parts of the clock as its steps need, in 24 hours. */
export function timeAxis(elapsed: boolean): uPlot.Axis {
  return {
    ...look(),
    // Labels without seconds need less room: on a narrow chart there are then two and more, not one.
    space: (_, __, from, to, pixels) => {
      const room = scaled(42);
      return !elapsed && ((to - from) * room) / pixels > 30 ? room : scaled(64);
    },
    size: scaled(24),
    gap: 3,
    values: (chart, splits, _, __, increment) =>
      splits.map((seconds) => {
        const label = elapsed ? `${seconds} s` : clockLabel(seconds, increment);
        return isCutOff(chart, seconds, label) ? '' : label;
      }),
  };
}

/** Whether the label, centred below its moment, would reach over the chart's right edge. */
function isCutOff(chart: uPlot, seconds: number, label: string): boolean {
  const plotLeft = chart.bbox.left / uPlot.pxRatio;
  return plotLeft + chart.valToPos(seconds, 'x') + (scaled(6) * label.length) / 2 > chart.width + 4;
}

function clockLabel(seconds: number, increment: number): string {
  const date = new Date(seconds * 1000);
  const clock = date.toLocaleTimeString('en-GB');
  if (increment < 60) return clock;
  if (increment < 86_400 && clock !== '00:00:00') return clock.slice(0, 5);
  return date.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' });
}

/** Powers of two, so that a byte axis reads 32 MiB and not 28.6 MiB. */
const byteSteps = Array.from({ length: 50 }, (_, power) => 2 ** power);

/** Powers of ten alone: between them a logarithmic axis has eight steps that crowd the grid and the labels. */
const decades = (_: uPlot, splits: number[]): (number | null)[] =>
  splits.map((value) => {
    const power = Math.log10(value);
    return Math.abs(power - Math.round(power)) < 1e-6 ? value : null;
  });

/** The value axis, as wide as its longest label. */
export function valueAxis({ unit, decimals, log }: ChartModel): uPlot.Axis {
  const { grid, ticks, ...ink } = look();
  return {
    ...ink,
    grid: { ...grid, ...(log && { filter: decades }) },
    ticks: { ...ticks, ...(log && { filter: decades }) },
    space: scaled(30),
    ...((unit === 'bytes' || unit === 'binBps') && { incrs: byteSteps }),
    gap: 5,
    // What a logarithmic axis leaves out comes as null.
    values: (_, splits: (number | null)[]) =>
      splits.map((value) => (value === null ? '' : formatValue(value, unit, decimals))),
    size: (_, labels) => 14 + scaled(6) * Math.max(3, ...(labels ?? []).map((label) => label.length)),
  };
}
