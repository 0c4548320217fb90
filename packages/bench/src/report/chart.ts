import { escapeMarkup } from './escape-markup.ts';

/** A line of a chart. */
export interface ChartSeries {
  readonly name: string;
  /** A class of the page's style sheet, which gives the colour. */
  readonly className: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

/** Options of {@link renderChart}. */
export interface ChartOptions {
  readonly title: string;
  readonly series: readonly ChartSeries[];
  readonly formatX: (value: number) => string;
  readonly formatY: (value: number) => string;
}

const width = 720;
const height = 220;
const margin = { left: 64, right: 12, top: 12, bottom: 28 };

/** Lines over a zero-based axis as SVG that scales with its page and takes its colours from it. */
export function renderChart({ title, series, formatX, formatY }: ChartOptions): string {
  const all = series.flatMap(({ points }) => points);
  const minX = all.length === 0 ? 0 : Math.min(...all.map(({ x }) => x));
  const maxX = Math.max(...all.map(({ x }) => x), minX);
  const spanX = Math.max(maxX - minX, 1);
  const ticks = niceTicks(Math.max(...all.map(({ y }) => y), 0));
  const maxY = ticks.at(-1) ?? 1;
  const toX = (x: number): string =>
    (margin.left + ((x - minX) / spanX) * (width - margin.left - margin.right)).toFixed(1);
  const toY = (y: number): string =>
    (height - margin.bottom - (y / maxY) * (height - margin.top - margin.bottom)).toFixed(1);
  const grid = ticks.map(
    (tick) =>
      `<line class="grid" x1="${margin.left}" x2="${width - margin.right}" y1="${toY(tick)}" y2="${toY(tick)}"/>` +
      `<text class="tick" x="${margin.left - 6}" y="${toY(tick)}" text-anchor="end" dominant-baseline="middle">${escapeMarkup(formatY(tick))}</text>`,
  );
  const lines = series.map(
    ({ className, points }) =>
      `<polyline class="${className}" points="${points.map(({ x, y }) => `${toX(x)},${toY(y)}`).join(' ')}"/>`,
  );
  const legend = series
    .map(({ name, className }) => `<span class="key ${className}">${escapeMarkup(name)}</span>`)
    .join('');
  return [
    `<figure><figcaption>${escapeMarkup(title)}${legend}</figcaption>`,
    `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeMarkup(title)}">`,
    ...grid,
    ...[...new Set([minX, maxX])].map(
      (x, index) =>
        `<text class="tick" x="${toX(x)}" y="${height - 8}" text-anchor="${index === 0 ? 'start' : 'end'}">${escapeMarkup(formatX(x))}</text>`,
    ),
    ...lines,
    '</svg></figure>',
  ].join('\n');
}

/** Zero and up to five round steps that reach `highest`. */
export function niceTicks(highest: number): number[] {
  if (!(highest > 0)) return [0, 1];
  const rough = highest / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const ticks = [0];
  while ((ticks.at(-1) ?? 0) < highest) ticks.push(Number((ticks.length * step).toPrecision(12)));
  return ticks;
}
