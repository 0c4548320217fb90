import { type ExemplarSeries, query, queryExemplars, queryRange } from '../api/prometheus.ts';
import type { ChartExemplar } from '../model/chart-model.ts';
import type { FieldConfig, Panel, Target } from '../model/dashboard.ts';
import { fieldConfigFor } from '../model/display.ts';
import { alignValues, type Labels, legendName, type MatrixSeries, timeline } from '../model/frame.ts';
import { alignRange, formatDuration, rateIntervalFor, stepFor, type TimeRange } from '../model/time-range.ts';
import { interpolate, type Scope } from '../model/variables.ts';
import type { DashboardContext } from './dashboard-context.ts';

/** A series with all that the panel says about it. */
export interface PanelSeries {
  readonly refId: string;
  readonly name: string;
  readonly labels: Labels;
  readonly values: readonly (number | null)[];
  readonly config: FieldConfig;
}

/** What a panel shows. */
export interface PanelData {
  /** Unix seconds. */
  readonly times: readonly number[];
  readonly series: readonly PanelSeries[];
  readonly exemplars: readonly ChartExemplar[];
}

/** Runs the panel's queries over the dashboard's range with as many points as it has pixels. */
export async function loadPanelData(
  panel: Panel,
  dashboard: DashboardContext,
  widthPx: number,
  signal: AbortSignal,
): Promise<PanelData> {
  const stepMs = stepFor(dashboard.range, Math.min(widthPx, 1000), dashboard.scrapeIntervalMs);
  const range = alignRange(dashboard.range, stepMs);
  const times = timeline(range, stepMs);
  const scope = panelScope(dashboard, stepMs);
  const load = async (target: Target): Promise<PanelSeries[]> => {
    const expr = interpolate(target.expr, scope);
    const answer =
      target.instant === true
        ? await lastValues(expr, range.toMs, signal)
        : await queryRange(expr, range, stepMs, signal);
    return answer.map((series) => {
      const name = legendName(interpolate(target.legendFormat ?? '', scope), series.metric);
      const identity = { name, refId: target.refId };
      return {
        ...identity,
        labels: series.metric,
        values: alignValues(series, times, stepMs),
        config: fieldConfigFor(panel.fieldConfig, identity),
      };
    });
  };
  const shown = (panel.targets ?? []).filter((target) => target.hide !== true);
  const [series, exemplars] = await Promise.all([
    Promise.all(shown.map(load)),
    // Exemplars are beside the point of the panel: without them it still stands.
    panel.type === 'timeseries'
      ? loadExemplars(panel, scope, range, stepMs, signal).catch(() => [])
      : Promise.resolve([]),
  ]);
  return { times, series: series.flat(), exemplars };
}

/** The series of an instant query, each with its one value. */
async function lastValues(expr: string, timeMs: number, signal: AbortSignal): Promise<MatrixSeries[]> {
  const answer = await query(expr, timeMs, signal);
  if (answer.resultType !== 'vector') return [];
  return answer.result.map(({ metric, value }) => ({ metric, values: [value] }));
}

/** The dashboard's variables and the intervals that follow from the step. */
function panelScope({ scope, range, scrapeIntervalMs }: DashboardContext, stepMs: number): Scope {
  const rangeMs = range.toMs - range.fromMs;
  return {
    ...scope,
    __interval: formatDuration(stepMs),
    __interval_ms: String(stepMs),
    __rate_interval: formatDuration(rateIntervalFor(stepMs, scrapeIntervalMs)),
    __range: formatDuration(rangeMs),
    __range_s: String(Math.round(rangeMs / 1000)),
    __range_ms: String(rangeMs),
  };
}

const traceLabels = ['trace_id', 'traceID', 'traceId'];

/** The exemplars of the panel's queries that ask for them, thinned to the highest of each `stepMs`. */
async function loadExemplars(
  panel: Panel,
  scope: Scope,
  range: TimeRange,
  stepMs: number,
  signal: AbortSignal,
): Promise<readonly ChartExemplar[]> {
  const expressions = (panel.targets ?? [])
    .filter(({ exemplar, hide }) => exemplar === true && hide !== true)
    .map(({ expr }) => interpolate(expr, scope));
  // Queries of one panel often select the same series: asked once.
  const answers = await Promise.all(
    [...new Set(expressions)].map((expr) => queryExemplars(expr, range, signal)),
  );
  return thin(answers.flat(), stepMs);
}

/** At most one exemplar of a stretch of `stepMs`: the slowest, which is the one worth opening. */
export function thin(all: readonly ExemplarSeries[], stepMs: number): readonly ChartExemplar[] {
  const highest = new Map<number, ChartExemplar>();
  for (const { exemplars } of all) {
    for (const { labels, value, timestamp } of exemplars) {
      const traceId = traceLabels.map((name) => labels[name]).find((id) => id !== undefined && id !== '');
      const exemplar = { at: timestamp, value: Number(value), traceId: traceId ?? '' };
      if (traceId === undefined || !Number.isFinite(exemplar.value)) continue;
      const slot = Math.floor((timestamp * 1000) / stepMs);
      if ((highest.get(slot)?.value ?? Number.NEGATIVE_INFINITY) < exemplar.value)
        highest.set(slot, exemplar);
    }
  }
  return [...highest.values()].sort((a, b) => a.at - b.at);
}
