import uPlot from 'uplot';
import { stackValues } from '../model/frame.ts';
import { cssColor } from '../ui/theme.ts';
import { timeAxis, valueAxis } from './axes.ts';
import type { ChartModel, ChartSeries } from './chart-model.ts';
import { resolveColor } from './colors.ts';
import { drawExemplars, drawMarks } from './draw-overlays.ts';
import { chartScales } from './scales.ts';

/** What the chart tells its owner, and asks of it. */
export interface ChartEvents {
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
