import uPlot from 'uplot';
import type { ChartExemplar, ChartMark } from '../model/chart-model.ts';
import { resolveColor } from '../model/colors.ts';
import { formatValue } from '../model/format-value.ts';
import type { HeatMapCells } from '../model/heat-map.ts';
import { canvasFont, cssColor } from '../ui/theme.ts';

/** Space for the labels of the axes in CSS pixels; the style sheet leaves the same to the plot. */
const heatMapMargin = { left: 58, bottom: 22, top: 8, right: 8 } as const;

/** Paints the cells at the canvas's present size. Opacity grows with the root of the count, so that few still show. */
export function drawHeatMap(canvas: HTMLCanvasElement, cells: HeatMapCells, unit: string | undefined): void {
  const { clientWidth: width, clientHeight: height } = canvas;
  const ratio = devicePixelRatio;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext('2d');
  if (context === null || width === 0) return;
  context.scale(ratio, ratio);
  const { left, top, right, bottom } = heatMapMargin;
  const plot = { width: width - left - right, height: height - top - bottom };
  const cell = { width: plot.width / cells.times.length, height: plot.height / cells.counts.length };
  const y = (bucket: number): number => top + plot.height - (bucket + 1) * cell.height;

  context.fillStyle = resolveColor('var(--accent)');
  cells.counts.forEach((values, bucket) => {
    values.forEach((value, column) => {
      if (value === null || value === 0 || cells.highest === 0) return;
      context.globalAlpha = 0.1 + 0.9 * Math.sqrt(value / cells.highest);
      const x = left + column * cell.width;
      context.fillRect(x, y(bucket), Math.max(1, cell.width - 0.5), Math.max(1, cell.height - 1));
    });
  });
  context.globalAlpha = 1;
  drawLabels(context, cells, unit, { ...plot, cellHeight: cell.height });
}

function drawLabels(
  context: CanvasRenderingContext2D,
  { times, bounds, floor }: HeatMapCells,
  unit: string | undefined,
  plot: { readonly width: number; readonly height: number; readonly cellHeight: number },
): void {
  const { left, top } = heatMapMargin;
  context.fillStyle = cssColor('--ink-3');
  context.font = canvasFont();
  context.textAlign = 'right';
  context.textBaseline = 'middle';
  const every = Math.ceil(16 / plot.cellHeight);
  for (let edge = 0; edge <= bounds.length; edge += every) {
    const value = edge === 0 ? floor : bounds[edge - 1];
    context.fillText(formatValue(value, unit), left - 6, top + plot.height - edge * plot.cellHeight);
  }
  context.textAlign = 'center';
  context.textBaseline = 'top';
  for (const seconds of clockMarks(times, plot.width / 90)) {
    const share = (seconds - (times[0] ?? 0)) / ((times.at(-1) ?? 1) - (times[0] ?? 0) || 1);
    const label = new Date(seconds * 1000).toLocaleTimeString('en-GB').slice(0, 5);
    context.fillText(label, left + share * plot.width, top + plot.height + 5);
  }
}

/** At most `most` round moments within the times: whole minutes, quarters, hours. */
function clockMarks(times: readonly number[], most: number): readonly number[] {
  const [first = 0] = times;
  const last = times.at(-1) ?? first;
  const steps = [60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400];
  const step = steps.find((one) => (last - first) / one <= most) ?? 604_800;
  const marks: number[] = [];
  for (let mark = Math.ceil(first / step) * step; mark <= last; mark += step) marks.push(mark);
  return marks;
}

/** A dashed line down the chart with a flag at its foot for each mark in sight. */
export function drawMarks(chart: uPlot, marks: readonly ChartMark[]): void {
  const { ctx, bbox } = chart;
  const ratio = uPlot.pxRatio;
  for (const { at, color } of marks) {
    const x = Math.round(chart.valToPos(at, 'x', true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    const foot = bbox.top + bbox.height;
    ctx.save();
    ctx.strokeStyle = resolveColor(color, 80);
    ctx.fillStyle = resolveColor(color);
    ctx.lineWidth = ratio;
    ctx.setLineDash([3 * ratio, 3 * ratio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, foot);
    ctx.stroke();
    ctx.beginPath();
    ctx.moveTo(x - 4 * ratio, foot);
    ctx.lineTo(x + 4 * ratio, foot);
    ctx.lineTo(x, foot - 6 * ratio);
    ctx.fill();
    ctx.restore();
  }
}

/** A diamond for each exemplar within the chart's scales; one beyond the highest value stands at the top. */
export function drawExemplars(chart: uPlot, exemplars: readonly ChartExemplar[]): void {
  const { ctx, bbox } = chart;
  const size = 3.5 * uPlot.pxRatio;
  ctx.save();
  ctx.fillStyle = cssColor('--exemplar');
  ctx.strokeStyle = cssColor('--panel');
  ctx.lineWidth = uPlot.pxRatio;
  for (const { at, value } of exemplars) {
    const x = chart.valToPos(at, 'x', true);
    const y = Math.max(bbox.top + size, chart.valToPos(value, 'y', true));
    if (x < bbox.left || x > bbox.left + bbox.width || y > bbox.top + bbox.height) continue;
    ctx.beginPath();
    ctx.moveTo(x, y - size);
    ctx.lineTo(x + size, y);
    ctx.lineTo(x, y + size);
    ctx.lineTo(x - size, y);
    ctx.closePath();
    ctx.fill();
    ctx.stroke();
  }
  ctx.restore();
}
