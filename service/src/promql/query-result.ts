import type { Labels } from './labels.ts';

/** One element of an instant vector. */
export interface VectorSample {
  readonly labels: Labels;
  readonly timeMs: number;
  readonly value: number;
}

/** One series of a matrix: points in ascending time, none of them stale. */
export interface MatrixSeries {
  readonly labels: Labels;
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
}

export type QueryValue =
  | { readonly type: 'scalar'; readonly timeMs: number; readonly value: number }
  | { readonly type: 'string'; readonly timeMs: number; readonly value: string }
  | { readonly type: 'vector'; readonly samples: readonly VectorSample[] }
  | { readonly type: 'matrix'; readonly series: readonly MatrixSeries[] };

/** A value with what Prometheus says beside it. Both lists are free of duplicates. */
export type QueryResult = QueryValue & {
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
};

/**
 * A sample's value as the HTTP API writes it: the shortest text that reads back as the same number, `NaN`, `+Inf`
 * and `-Inf`.
 */
export function formatValue(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  return Object.is(value, -0) ? '-0' : String(value);
}
