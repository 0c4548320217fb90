import type { ChartMark } from './chart-model.ts';
import { grafanaColor } from './colors.ts';
import type { Annotation } from './dashboard.ts';
import { legendName, type MatrixSeries, parseSample } from './frame.ts';

/** More marks than this would hide the chart. */
const mostMarks = 100;

/**
 * The moments at which a series of an annotation query begins to be there, as Grafana marks them: the start of each
 * unbroken run of points; or, with `useValueForTime`, the moments that the values name, in milliseconds.
 */
export function annotationMarks(
  annotation: Annotation,
  series: readonly MatrixSeries[],
  stepMs: number,
): readonly ChartMark[] {
  const color = grafanaColor(annotation.iconColor ?? 'blue');
  const marks = series.flatMap(({ metric, values }) => {
    const title = legendName(annotation.titleFormat ?? annotation.name, metric);
    const detail =
      annotation.textFormat === undefined || annotation.textFormat === ''
        ? ''
        : `: ${legendName(annotation.textFormat, metric)}`;
    const moments =
      annotation.useValueForTime === true
        ? new Set(values.map(([, value]) => parseSample(value) / 1000))
        : starts(values, stepMs);
    return [...moments].map((at) => ({ at, color, text: `${title}${detail}` }));
  });
  return marks
    .filter(({ at }) => Number.isFinite(at))
    .sort((a, b) => a.at - b.at)
    .slice(-mostMarks);
}

/** First moments of unbroken runs of points that are not zero. */
function starts(values: MatrixSeries['values'], stepMs: number): number[] {
  const found: number[] = [];
  let last = Number.NEGATIVE_INFINITY;
  for (const [seconds, value] of values) {
    if (parseSample(value) === 0) continue;
    if (seconds - last > (stepMs / 1000) * 1.5) found.push(seconds);
    last = seconds;
  }
  return found;
}
