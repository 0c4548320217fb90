import { type ExemplarSeries, queryExemplars } from '../api/prometheus.ts';
import type { ChartExemplar } from '../charts/chart-model.ts';
import type { Panel } from '../model/dashboard.ts';
import type { TimeRange } from '../time/range.ts';
import { interpolate, type Scope } from '../variables/interpolate.ts';

const traceLabels = ['trace_id', 'traceID', 'traceId'];

/** The exemplars of the panel's queries that ask for them, thinned to the highest of each `stepMs`. */
export async function loadExemplars(
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
