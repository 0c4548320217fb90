import uPlot from 'uplot';
import { cssColor } from '../ui/theme.ts';
import type { ChartExemplar, ChartMark } from './chart-model.ts';
import { resolveColor } from './colors.ts';

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
