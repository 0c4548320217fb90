import { useMemo } from 'preact/hooks';
import { labelValues, queryRange } from '../api/prometheus.ts';
import { annotationMarks } from '../model/annotations.ts';
import type { ChartMark } from '../model/chart-model.ts';
import type { Annotation, Dashboard, Variable } from '../model/dashboard.ts';
import {
  alignRange,
  fitRange,
  formatDuration,
  parseDuration,
  type RawRange,
  rateIntervalFor,
  resolveRange,
  stepFor,
  type TimeRange,
} from '../model/time-range.ts';
import {
  interpolate,
  naturalOrder,
  parseLabelValues,
  type Scope,
  type VariableValue,
} from '../model/variables.ts';
import type { DashboardContext } from '../panels/dashboard-context.ts';
import { changeSearch, useLocation } from '../ui/router.ts';
import { useAsync, useTicks } from '../ui/use-async.ts';
import { useStoreFacts } from './explore-page.tsx';

/** What the toolbar shows and changes, and what the panels are given. */
export interface DashboardState {
  readonly raw: RawRange;
  /** The reader chose the range; else the dashboard did. */
  readonly chosen: boolean;
  /** A Prometheus duration, or empty for none. */
  readonly refresh: string;
  readonly variables: readonly VariableState[];
  readonly annotations: readonly AnnotationState[];
  readonly context: DashboardContext;
  setRange(raw: RawRange): void;
  resetRange(): void;
  /** Moves the range by a share of its length; negative is earlier. */
  move(share: number): void;
  /** Doubles the range around its middle, never beyond now. */
  widen(): void;
  setRefresh(refresh: string): void;
}

/** Range, refresh and variables of a dashboard. The URL holds what the reader chose, so that it can be sent on. */
export function useDashboardState(dashboard: Dashboard): DashboardState {
  const { search } = useLocation();
  const from = search.get('from');
  const to = search.get('to');
  const refresh = search.get('refresh') ?? dashboard.refresh ?? '';
  const ticks = useTicks(parseDuration(refresh) ?? 0);
  const nowMs = useMemo(() => Date.now(), [ticks, from, to, search.get('at')]);
  const wanted = dashboard.time ?? { from: 'now-15m', to: 'now' };
  const whole = resolveRange(wanted, nowMs);
  const facts = useStoreFacts(whole.toMs - whole.fromMs, ticks);
  const chosen = from !== null && to !== null;
  const raw = chosen ? { from, to } : fitRange(wanted, facts.oldestMs, nowMs);
  const { fromMs, toMs } = resolveRange(raw, nowMs);
  const { variables, scope } = useVariables(dashboard, search, { fromMs, toMs });
  const { scrapeIntervalMs, traceUrl } = facts;
  const range = useMemo(() => ({ fromMs, toMs }), [fromMs, toMs]);
  const { annotations, marks } = useAnnotations(dashboard, search, range, scope, scrapeIntervalMs);
  const context = useMemo(
    (): DashboardContext => ({
      range,
      scope,
      scrapeIntervalMs,
      marks,
      traceUrl,
      zoom,
    }),
    [range, scope, scrapeIntervalMs, marks, traceUrl],
  );
  return {
    raw,
    chosen,
    refresh,
    variables,
    annotations,
    context,
    move: (share) => {
      const by = Math.round((toMs - fromMs) * share);
      zoom({ fromMs: fromMs + by, toMs: toMs + by });
    },
    widen: () => {
      const half = Math.round((toMs - fromMs) / 2);
      zoom({ fromMs: fromMs - half, toMs: Math.min(toMs + half, Date.now()) });
    },
    setRange: (range) => changeSearch({ from: range.from, to: range.to }),
    resetRange: () => changeSearch({ from: undefined, to: undefined }),
    setRefresh: (value) => changeSearch({ refresh: value }),
  };
}

function zoom(range: TimeRange): void {
  changeSearch({ from: String(Math.round(range.fromMs)), to: String(Math.round(range.toMs)) });
}

/** A variable that the reader may choose. */
export interface VariableState {
  readonly name: string;
  readonly label: string;
  readonly options: readonly string[];
  /** Empty means all. */
  readonly selected: readonly string[];
  readonly error: string | undefined;
  select(values: readonly string[]): void;
}

/** The dashboard's query variables, each asked with the choices of those before it. */
function useVariables(
  dashboard: Dashboard,
  search: URLSearchParams,
  range: TimeRange,
): { readonly variables: readonly VariableState[]; readonly scope: Scope } {
  const declared = (dashboard.templating?.list ?? []).filter(({ type }) => type === 'query');
  const chosen = JSON.stringify(declared.map(({ name }) => search.getAll(`var-${name}`)));
  // Options change slowly: asked again each minute, not with every refresh.
  const minute = Math.floor(range.toMs / 60_000);
  const scope = useMemo(() => scopeOf(declared, JSON.parse(chosen) as string[][]), [dashboard, chosen]);
  const { data, error } = useAsync(
    () => Promise.all(declared.map((variable) => optionsOf(variable, scope, range))),
    [dashboard, scope, minute],
  );
  const variables = declared.map((variable, index): VariableState => {
    const { name, label = name } = variable;
    return {
      name,
      label,
      options: data?.[index] ?? [],
      selected: search.getAll(`var-${name}`),
      error,
      select: (values) => changeSearch({ [`var-${name}`]: values }),
    };
  });
  return { variables, scope };
}

function scopeOf(declared: readonly Variable[], chosen: readonly string[][]): Scope {
  const values = declared.map(({ name, allValue }, index): [string, VariableValue] => {
    const picked = chosen[index] ?? [];
    return [name, picked.length === 0 ? (allValue ?? '.*') : picked];
  });
  return Object.fromEntries(values);
}

async function optionsOf(variable: Variable, scope: Scope, range: TimeRange): Promise<readonly string[]> {
  const text = typeof variable.query === 'string' ? variable.query : (variable.query?.query ?? '');
  const query = parseLabelValues(interpolate(text, scope));
  if (query === undefined) return [];
  return (await labelValues(query.label, query.selector, range)).sort(naturalOrder);
}

/** Points that an annotation query asks for. */
const points = 300;

/** A kind of mark that the reader may show or hide. */
interface AnnotationState {
  readonly name: string;
  readonly shown: boolean;
  toggle(): void;
}

/** The dashboard's annotations by query, and the marks of those shown. The URL holds what the reader chose. */
function useAnnotations(
  dashboard: Dashboard,
  search: URLSearchParams,
  range: TimeRange,
  scope: Scope,
  scrapeIntervalMs: number,
): { readonly annotations: readonly AnnotationState[]; readonly marks: readonly ChartMark[] } {
  const declared = (dashboard.annotations?.list ?? []).filter(({ expr, hide }) => expr && hide !== true);
  const off = search.getAll('hide-marks');
  const on = search.getAll('show-marks');
  const shown = (annotation: Annotation): boolean =>
    annotation.enable === false ? on.includes(annotation.name) : !off.includes(annotation.name);
  const key = declared
    .filter(shown)
    .map(({ name }) => name)
    .join('\n');
  const { data } = useAsync(
    async (signal) => {
      const stepMs = stepFor(range, points, scrapeIntervalMs);
      const aligned = alignRange(range, stepMs);
      const intervals: Scope = {
        ...scope,
        __interval: formatDuration(stepMs),
        __rate_interval: formatDuration(rateIntervalFor(stepMs, scrapeIntervalMs)),
      };
      const marks = declared.filter(shown).map(async (annotation) => {
        const series = await queryRange(
          interpolate(annotation.expr ?? '', intervals),
          aligned,
          stepMs,
          signal,
        ).catch(() => []);
        return annotationMarks(annotation, series, stepMs);
      });
      return (await Promise.all(marks)).flat();
    },
    [dashboard, key, range.fromMs, range.toMs, scope, scrapeIntervalMs],
  );
  const annotations = declared.map((annotation): AnnotationState => {
    const parameter = annotation.enable === false ? 'show-marks' : 'hide-marks';
    const chosen = annotation.enable === false ? on : off;
    const { name } = annotation;
    return {
      name,
      shown: shown(annotation),
      toggle: () =>
        changeSearch({
          [parameter]: chosen.includes(name) ? chosen.filter((one) => one !== name) : [...chosen, name],
        }),
    };
  });
  const marks = useMemo(() => data ?? [], [data]);
  return { annotations, marks };
}
