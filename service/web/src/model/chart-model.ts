/** A line of a chart. */
export interface ChartSeries {
  readonly name: string;
  /** One value for each of the chart's times; `null` is a gap. */
  readonly values: readonly (number | null)[];
  /** A CSS colour expression; may hold custom properties. */
  readonly color: string;
  /** Percent. */
  readonly fillOpacity: number;
  readonly lineWidth: number;
  readonly dash?: readonly number[];
  readonly bars?: boolean;
  /** A dot on each value: for values that stand for themselves. */
  readonly dots?: boolean;
  readonly unit: string | undefined;
  readonly decimals: number | undefined;
}

/** A dashed line across the chart. */
interface ChartLimit {
  readonly value: number;
  readonly color: string;
}

/** Something that happened: a line down the chart. */
export interface ChartMark {
  /** Unix seconds. */
  readonly at: number;
  readonly color: string;
  readonly text: string;
}

/** One observation with its trace: a diamond on the chart. */
export interface ChartExemplar {
  /** Unix seconds. */
  readonly at: number;
  readonly value: number;
  readonly traceId: string;
}

/** Everything a chart over time shows, free of any library. */
export interface ChartModel {
  /** Unix seconds, ascending. */
  readonly times: readonly number[];
  readonly series: readonly ChartSeries[];
  readonly stacked: boolean;
  readonly log: boolean;
  readonly unit: string | undefined;
  readonly decimals: number | undefined;
  readonly min: number | undefined;
  readonly max: number | undefined;
  readonly limits: readonly ChartLimit[];
  readonly marks?: readonly ChartMark[];
  readonly exemplars?: readonly ChartExemplar[];
  /** Times are seconds since the start of something, not moments. */
  readonly elapsed?: boolean;
}
