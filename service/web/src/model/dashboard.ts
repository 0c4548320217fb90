import type { TimeRange } from './time-range.ts';
import { interpolate, type Scope } from './variables.ts';

/** The part of Grafana's classic dashboard model that the page renders. */
export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly description?: string;
  readonly time?: { readonly from: string; readonly to: string };
  readonly refresh?: string;
  readonly timepicker?: { readonly refresh_intervals?: readonly string[] };
  readonly templating?: { readonly list?: readonly Variable[] };
  readonly annotations?: { readonly list?: readonly Annotation[] };
  readonly panels: readonly Panel[];
}

/** Marks on every chart over time, found by a query. Those without one are Grafana's own and left alone. */
export interface Annotation {
  readonly name: string;
  readonly expr?: string;
  /** Default true. */
  readonly enable?: boolean;
  readonly hide?: boolean;
  readonly iconColor?: string;
  readonly titleFormat?: string;
  readonly textFormat?: string;
  readonly useValueForTime?: boolean;
}

export interface Variable {
  readonly type: string;
  readonly name: string;
  readonly label?: string;
  readonly query?: string | { readonly query: string };
  readonly multi?: boolean;
  readonly includeAll?: boolean;
  readonly allValue?: string;
}

export interface GridPos {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

export interface Target {
  readonly refId: string;
  readonly expr: string;
  readonly legendFormat?: string;
  readonly instant?: boolean;
  readonly exemplar?: boolean;
  readonly format?: string;
  readonly hide?: boolean;
}

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: GridPos;
  readonly targets?: readonly Target[];
  readonly fieldConfig?: FieldConfigSource;
  readonly options?: PanelOptions;
  readonly links?: readonly PanelLink[];
  readonly transformations?: readonly { readonly id: string; readonly options: Record<string, unknown> }[];
  /** Of a row: folded, with its panels inside. */
  readonly collapsed?: boolean;
  readonly panels?: readonly Panel[];
}

export interface PanelLink {
  readonly title: string;
  readonly url: string;
}

interface PanelOptions {
  readonly legend?: { readonly showLegend?: boolean; readonly calcs?: readonly string[] };
  readonly tooltip?: { readonly mode?: string; readonly sort?: string };
  readonly graphMode?: string;
  readonly colorMode?: string;
  readonly textMode?: string;
  readonly reduceOptions?: { readonly calcs?: readonly string[] };
  readonly content?: string;
  readonly mode?: string;
  readonly [option: string]: unknown;
}

export interface FieldConfigSource {
  readonly defaults: FieldConfig;
  readonly overrides?: readonly Override[];
}

export interface Override {
  readonly matcher: { readonly id: string; readonly options?: unknown };
  readonly properties: readonly { readonly id: string; readonly value?: unknown }[];
}

export interface Threshold {
  readonly value: number | null;
  readonly color: string;
}

export interface FieldConfig {
  readonly unit?: string;
  readonly decimals?: number;
  readonly min?: number;
  readonly max?: number;
  readonly noValue?: string;
  readonly displayName?: string;
  readonly color?: { readonly mode: string; readonly fixedColor?: string };
  readonly thresholds?: { readonly mode: string; readonly steps: readonly Threshold[] };
  readonly mappings?: readonly ValueMapping[];
  readonly links?: readonly PanelLink[];
  readonly custom?: CustomConfig;
}

export interface ValueMapping {
  readonly type: string;
  /** By value for `value`; `from`, `to` and `result` for `range`. */
  readonly options: unknown;
}

interface CustomConfig {
  readonly lineWidth?: number;
  readonly fillOpacity?: number;
  readonly drawStyle?: string;
  readonly lineInterpolation?: string;
  readonly lineStyle?: { readonly fill?: string; readonly dash?: readonly number[] };
  readonly stacking?: { readonly mode?: string };
  readonly scaleDistribution?: { readonly type?: string; readonly log?: number };
  readonly thresholdsStyle?: { readonly mode?: string };
  readonly spanNulls?: boolean | number;
  readonly axisSoftMax?: number;
  readonly hideFrom?: { readonly viz?: boolean; readonly legend?: boolean };
  readonly [property: string]: unknown;
}

/**
 * Where a link of a dashboard leads on this page: `/d/<uid>` becomes the dashboard here, `${__url_time_range}` and
 * `${name:queryparam}` become parameters. `undefined` for anything but http, https and paths of this page.
 */
export function resolveLink(url: string, scope: Scope, range: TimeRange): string | undefined {
  const text = url
    .replace(/\$\{__url_time_range\}/g, `from=${Math.round(range.fromMs)}&to=${Math.round(range.toMs)}`)
    .replace(/\$\{(\w+):queryparam\}/g, (_, name: string) => parameter(name, scope))
    .replace(/^\/d\/([\w-]+)(\/[\w-]*)?/, '/ui/dashboards/$1');
  const href = interpolate(text, scope).replace(/&{2,}/g, '&').replace(/\?&/, '?').replace(/[?&]$/, '');
  return /^(https?:\/\/|\/(?!\/))/.test(href) ? href : undefined;
}

function parameter(name: string, scope: Scope): string {
  const value = scope[name];
  // Raw text is the pattern for "all"; the URL then names nothing.
  if (value === undefined || typeof value === 'string') return '';
  return value.map((one) => `var-${name}=${encodeURIComponent(one)}`).join('&');
}

/** A row of the dashboard with the panels that belong to it; the first may have no heading. */
export interface Section {
  readonly row: Panel | undefined;
  readonly panels: readonly Panel[];
}

/** Panels under their rows, in reading order. A folded row carries its panels inside; an open one precedes them. */
export function sections(panels: readonly Panel[]): readonly Section[] {
  const found: { row: Panel | undefined; panels: Panel[] }[] = [{ row: undefined, panels: [] }];
  const ordered = [...panels].sort((a, b) => a.gridPos.y - b.gridPos.y || a.gridPos.x - b.gridPos.x);
  for (const panel of ordered) {
    if (panel.type === 'row') found.push({ row: panel, panels: [...(panel.panels ?? [])] });
    else found.at(-1)?.panels.push(panel);
  }
  return found.filter(({ row, panels }) => row !== undefined || panels.length > 0);
}

/**
 * Where a panel lies in its section's own grid of 24 columns, whose first line is the topmost panel's. As custom
 * properties: the style sheet heeds them where the window is wide enough.
 */
export function placeInSection(gridPos: GridPos, top: number): Readonly<Record<string, string>> {
  return {
    '--column': `${gridPos.x + 1} / span ${gridPos.w}`,
    '--row': `${gridPos.y - top + 1} / span ${gridPos.h}`,
    '--h': String(gridPos.h),
  };
}
