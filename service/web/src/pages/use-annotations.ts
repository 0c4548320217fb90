import { useMemo } from 'preact/hooks';
import { queryRange } from '../api/prometheus.ts';
import type { ChartMark } from '../charts/chart-model.ts';
import { annotationMarks } from '../model/annotations.ts';
import type { Annotation, Dashboard } from '../model/dashboard.ts';
import { formatDuration } from '../time/duration.ts';
import type { TimeRange } from '../time/range.ts';
import { alignRange, rateIntervalFor, stepFor } from '../time/step.ts';
import { changeSearch } from '../ui/router.ts';
import { useAsync } from '../ui/use-async.ts';
import { interpolate, type Scope } from '../variables/interpolate.ts';

/** Points that an annotation query asks for. */
const points = 300;

/** A kind of mark that the reader may show or hide. */
export interface AnnotationState {
  readonly name: string;
  readonly shown: boolean;
  toggle(): void;
}

/** The dashboard's annotations by query, and the marks of those shown. The URL holds what the reader chose. */
export function useAnnotations(
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
