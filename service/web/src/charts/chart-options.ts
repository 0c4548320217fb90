import uPlot from 'uplot';
import type { ChartModel, ChartSeries } from '../model/chart-model.ts';
import { resolveColor } from '../model/colors.ts';
import { formatValue } from '../model/format-value.ts';
import { stackValues } from '../model/frame.ts';
import { canvasFont, cssColor, scaled } from '../ui/theme.ts';
import { drawExemplars, drawMarks } from './draw.ts';

/** What the chart tells its owner, and asks of it. */
interface ChartEvents {
  /** The model now: marks and exemplars move with each refresh. */
  model(): ChartModel;
  /** The cursor stands on a point, or on none. */
  cursor(chart: uPlot, index: number | null): void;
  /** The reader drew a range, in Unix seconds. */
  select?(fromS: number, toS: number): void;
}

/** The model's numbers as uPlot takes them; stacked where the model says so. */
export function chartData({ times, series, stacked }: ChartModel): uPlot.AlignedData {
  const values = series.map((one) => one.values);
  return [times, ...(stacked ? stackValues(values) : values)] as uPlot.AlignedData;
}

/** uPlot's options for `model` in the present theme. Built anew whenever the set of series or the theme changes. */
export function chartOptions(
  model: ChartModel,
  size: { readonly width: number; readonly height: number },
  range: () => readonly [number, number],
  events: ChartEvents,
  syncKey: string | undefined,
): uPlot.Options {
  return {
    ...size,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    scales: chartScales(model, range),
    axes: [timeAxis(model.elapsed === true), valueAxis(model)],
    series: [{}, ...model.series.map((series, index) => seriesOptions(series, model.stacked && index > 0))],
    bands: model.stacked ? stackBands(model.series) : [],
    cursor: {
      ...(syncKey !== undefined && { sync: { key: syncKey, scales: ['x', null] } }),
      drag: { x: events.select !== undefined, y: false, setScale: false },
      points: { size: 6, width: 1.5, fill: cssColor('--panel') },
      y: false,
    },
    hooks: {
      setCursor: [(chart) => events.cursor(chart, chart.cursor.idx ?? null)],
      setSelect: [
        (chart) => {
          const { left, width } = chart.select;
          if (width > 4) events.select?.(chart.posToVal(left, 'x'), chart.posToVal(left + width, 'x'));
          chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
      drawAxes: [
        (chart) => drawLimits(chart, model),
        (chart) => drawMarks(chart, events.model().marks ?? []),
      ],
      draw: [(chart) => drawExemplars(chart, events.model().exemplars ?? [])],
    },
  };
}

/** @param banded filled by a band to its neighbour, not to the ground */
function seriesOptions(series: ChartSeries, banded: boolean): uPlot.Series {
  const stroke = resolveColor(series.color);
  const fill =
    banded || series.fillOpacity === 0 ? undefined : resolveColor(series.color, series.fillOpacity);
  const sole = series.values.filter((value) => value !== null).length < 2;
  return {
    label: series.name,
    stroke,
    width: series.lineWidth,
    ...(fill !== undefined && { fill }),
    ...(series.dash && { dash: [...series.dash] }),
    ...(series.bars && uPlot.paths.bars && { paths: uPlot.paths.bars({ size: [0.7, 24] }) }),
    points: { show: sole || series.dots === true, size: 5, fill: stroke },
  };
}

/** Fills between neighbours of the stack; the lowest fills to the ground. */
function stackBands(series: readonly ChartSeries[]): uPlot.Band[] {
  return series.slice(1).map((one, index) => ({
    series: [index + 2, index + 1],
    fill: resolveColor(one.color, one.fillOpacity),
  }));
}

function drawLimits(chart: uPlot, { limits }: ChartModel): void {
  const { ctx, bbox, scales } = chart;
  for (const { value, color } of limits) {
    const { min, max } = scales.y ?? {};
    if (min == null || max == null || value < min || value > max) continue;
    const y = Math.round(chart.valToPos(value, 'y', true));
    ctx.save();
    ctx.strokeStyle = resolveColor(color, 75);
    ctx.lineWidth = uPlot.pxRatio;
    ctx.setLineDash([5 * uPlot.pxRatio, 4 * uPlot.pxRatio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.restore();
  }
}

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
function timeAxis(elapsed: boolean): uPlot.Axis {
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
function valueAxis({ unit, decimals, log }: ChartModel): uPlot.Axis {
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

/** Scales of a chart: time exactly as asked for, values from the model's bounds or the data's. */
function chartScales(model: ChartModel, range: () => readonly [number, number]): uPlot.Scales {
  return {
    x: { time: model.elapsed !== true, range: () => [...range()] as [number, number] },
    y: model.log
      ? { distr: 3, range: (_, low, high) => uPlot.rangeLog(low ?? 1e-3, high ?? 1, 10, true) }
      : { range: (_, low, high) => valueRange(model, low, high) },
  };
}

/** Bounds with air above the highest value; a chart of nothing but zeros still has a height. */
function valueRange(
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
