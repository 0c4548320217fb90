import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { ChartMark } from '../model/chart-model.ts';
import type { TimeRange } from '../model/time-range.ts';
import type { Scope } from '../model/variables.ts';

/** What all panels of a dashboard share. */
export interface DashboardContext {
  /** The range now; a refresh moves it. */
  readonly range: TimeRange;
  /** Values of the variables; without the intervals, which depend on a panel's width. */
  readonly scope: Scope;
  readonly scrapeIntervalMs: number;
  /** Deploys, alerts and runs that every chart over time marks. */
  readonly marks: readonly ChartMark[];
  /** Where a trace is shown, with `{traceId}` for its id; none where the service knows of no such place. */
  readonly traceUrl: string | undefined;
  /** Narrows the range to what the reader drew. */
  zoom(range: TimeRange): void;
}

const Context = createContext<DashboardContext | undefined>(undefined);

export const DashboardProvider: typeof Context.Provider = Context.Provider;

/** The dashboard around a panel. */
export function useDashboard(): DashboardContext {
  const context = useContext(Context);
  if (context === undefined) throw new Error('A panel must be inside a DashboardProvider.');
  return context;
}
