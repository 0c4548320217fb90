import { useMemo } from 'preact/hooks';
import type { Dashboard } from '../model/dashboard.ts';
import type { DashboardContext } from '../panels/dashboard-context.ts';
import { parseDuration } from '../time/duration.ts';
import { fitRange, type RawRange, resolveRange, type TimeRange } from '../time/range.ts';
import { changeSearch, useLocation } from '../ui/router.ts';
import { useTicks } from '../ui/use-async.ts';
import { type AnnotationState, useAnnotations } from './use-annotations.ts';
import { useStoreFacts } from './use-store-facts.ts';
import { useVariables, type VariableState } from './use-variables.ts';

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
