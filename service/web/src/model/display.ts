import type { FieldConfig, FieldConfigSource, Override, Threshold, ValueMapping } from './dashboard.ts';
import { formatValue } from './format-value.ts';

/** A value as a panel shows it: in words and colour, as Grafana's names. */
interface Display {
  readonly text: string;
  readonly color: string | undefined;
}

/** By the field's value mappings, else its unit and thresholds; the field's own words for no value. */
export function displayValue(config: FieldConfig, value: number | null): Display {
  const mapped = value === null ? undefined : mappedValue(config.mappings ?? [], value);
  const color =
    mapped?.color ??
    (config.color?.mode === 'fixed' ? config.color.fixedColor : thresholdColor(config, value));
  if (value === null) return { text: config.noValue ?? 'No data', color };
  return { text: mapped?.text ?? formatValue(value, config.unit, config.decimals), color };
}

interface Result {
  readonly text?: string;
  readonly color?: string;
}

function mappedValue(mappings: readonly ValueMapping[], value: number): Result | undefined {
  for (const { type, options } of mappings) {
    if (type === 'value') {
      const result = (options as Readonly<Record<string, Result>>)[String(value)];
      if (result !== undefined) return result;
    }
    if (type === 'range') {
      const { from, to, result } = options as { from: number | null; to: number | null; result: Result };
      if (value >= (from ?? Number.NEGATIVE_INFINITY) && value <= (to ?? Number.POSITIVE_INFINITY))
        return result;
    }
  }
  return undefined;
}

/** What an override can match a series by. */
interface SeriesIdentity {
  readonly name: string;
  readonly refId: string;
}

/** The defaults with every override that matches the series laid over them, later ones last, as Grafana does. */
export function fieldConfigFor(source: FieldConfigSource | undefined, series: SeriesIdentity): FieldConfig {
  let config: FieldConfig = source?.defaults ?? {};
  for (const override of source?.overrides ?? []) {
    if (!matches(override.matcher, series)) continue;
    for (const { id, value } of override.properties) config = withProperty(config, id, value);
  }
  return config;
}

function matches({ id, options }: Override['matcher'], series: SeriesIdentity): boolean {
  if (id === 'byName') return series.name === options;
  if (id === 'byFrameRefID') return series.refId === options;
  if (id === 'byRegexp' && typeof options === 'string') return regexp(options).test(series.name);
  return false;
}

/** Grafana writes `/pattern/flags` or a bare pattern. The patterns come from committed dashboards, not from users. */
function regexp(text: string): RegExp {
  const parts = /^\/(.*)\/([a-z]*)$/.exec(text);
  return parts === null ? new RegExp(text) : new RegExp(parts[1] ?? '', parts[2]);
}

function withProperty(config: FieldConfig, id: string, value: unknown): FieldConfig {
  if (!id.startsWith('custom.')) return { ...config, [id]: value };
  return { ...config, custom: { ...config.custom, [id.slice('custom.'.length)]: value } };
}

/** Grafana's colour name of the highest step at or below `value`; `undefined` without thresholds. */
export function thresholdColor(config: FieldConfig, value: number | null): string | undefined {
  const steps = absoluteSteps(config);
  return steps.findLast((step) => step.value === null || (value !== null && value >= step.value))?.color;
}

/** The steps in the field's own unit: percentages are resolved between its min and max. */
export function absoluteSteps(config: FieldConfig): readonly Threshold[] {
  const { mode, steps } = config.thresholds ?? { mode: 'absolute', steps: [] };
  if (mode !== 'percentage') return steps;
  const { min = 0, max = 100 } = config;
  return steps.map((step) => ({
    ...step,
    value: step.value === null ? null : min + ((max - min) * step.value) / 100,
  }));
}

/** How many series colours the style sheet defines: `--series-1` … */
export const seriesColorCount = 10;

/**
 * A colour index for each name: the same name takes the same colour on every panel as far as possible, and no two of
 * a panel share one while there are enough. Names are served in sorted order, so that the order of answers is moot.
 */
export function assignSeriesColors(names: readonly string[]): ReadonlyMap<string, number> {
  const taken = new Set<number>();
  const colors = new Map<string, number>();
  for (const name of [...new Set(names)].sort()) {
    let index = hash(name) % seriesColorCount;
    for (let tries = 0; taken.has(index) && tries < seriesColorCount; tries++) {
      index = (index + 1) % seriesColorCount;
    }
    taken.add(index);
    if (taken.size === seriesColorCount) taken.clear();
    colors.set(name, index + 1);
  }
  return colors;
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value >>> 0;
}

/** The dial begins and ends so far below the horizon, in radians. */
const droop = 0.35;
const sweep = Math.PI + 2 * droop;
const centre = { x: 100, y: 100 } as const;

/** A dial in a box of 200 × 128: paths of SVG arcs. */
interface GaugeArcs {
  readonly track: string;
  /** From the lowest value to the present one; none without a value or at the lowest. */
  readonly needle: string | undefined;
  /** The stretch of each threshold, outside of the track. */
  readonly bands: readonly { readonly path: string; readonly color: string }[];
}

/** The dial of `value` between the field's min (default 0) and max (default 100; 1 of a unit that is a share). */
export function gaugeArcs(config: FieldConfig, value: number | null): GaugeArcs {
  const min = config.min ?? 0;
  const max = config.max ?? (config.unit === 'percentunit' ? 1 : 100);
  const share = (at: number): number => Math.min(1, Math.max(0, (at - min) / (max - min || 1)));
  const steps = absoluteSteps(config);
  const reached = value === null ? 0 : share(value);
  return {
    track: arc(78, 0, 1),
    needle: reached > 0.002 ? arc(78, 0, reached) : undefined,
    bands: steps.flatMap((step, index) => {
      const from = step.value === null ? 0 : share(step.value);
      const to = share(steps[index + 1]?.value ?? max);
      return to - from < 0.002 ? [] : [{ path: arc(92, from, to), color: step.color }];
    }),
  };
}

/** An arc of the dial between two shares of it. */
function arc(radius: number, from: number, to: number): string {
  const large = (to - from) * sweep > Math.PI ? 1 : 0;
  return `M${place(radius, from)} A${radius} ${radius} 0 ${large} 1 ${place(radius, to)}`;
}

function place(radius: number, share: number): string {
  const angle = Math.PI - droop + share * sweep;
  const x = centre.x + radius * Math.cos(angle);
  const y = centre.y + radius * Math.sin(angle);
  return `${x.toFixed(2)} ${y.toFixed(2)}`;
}
