import type { JSX } from 'preact';

/** The course of a number as an area without axes, in a box of 100 × 100 stretched to its parent. Decoration only. */
export function Sparkline({ values }: { readonly values: readonly (number | null)[] }): JSX.Element | null {
  const path = sparklinePath(values);
  if (path === undefined) return null;
  return (
    <svg class="sparkline" viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">
      <path class="sparkline-water" d={`${path.line} L${path.end} 100 L${path.start} 100 Z`} />
      <path class="sparkline-line" d={path.line} />
    </svg>
  );
}

/** Points from the ground (100) to the top (8); gaps are bridged. `undefined` with fewer than two points. */
function sparklinePath(
  values: readonly (number | null)[],
): { line: string; start: number; end: number } | undefined {
  const points = values.flatMap((value, index) => (value === null ? [] : [{ index, value }]));
  const [first] = points;
  const last = points.at(-1);
  if (first === undefined || last === undefined || points.length < 2) return undefined;
  const low = Math.min(0, ...points.map(({ value }) => value));
  const high = Math.max(...points.map(({ value }) => value));
  const x = (index: number): number => round((index / Math.max(1, values.length - 1)) * 100);
  const y = (value: number): number => round(high === low ? 98 : 98 - ((value - low) / (high - low)) * 90);
  const line = points
    .map(({ index, value }, at) => `${at === 0 ? 'M' : 'L'}${x(index)} ${y(value)}`)
    .join(' ');
  return { line, start: x(first.index), end: x(last.index) };
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
