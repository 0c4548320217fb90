import { query, queryRange } from '../api/prometheus.ts';
import type { ChartExemplar } from '../charts/chart-model.ts';
import type { FieldConfig, Panel, Target } from '../model/dashboard.ts';
import { fieldConfigFor } from '../model/field-config.ts';
import { alignValues, type MatrixSeries, timeline } from '../model/frame.ts';
import { type Labels, legendName } from '../model/legend.ts';
import { formatDuration } from '../time/duration.ts';
import { alignRange, rateIntervalFor, stepFor } from '../time/step.ts';
import { interpolate, type Scope } from '../variables/interpolate.ts';
import type { DashboardContext } from './dashboard-context.ts';
import { loadExemplars } from './exemplars.ts';

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
export function panelScope({ scope, range, scrapeIntervalMs }: DashboardContext, stepMs: number): Scope {
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
