import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  type Dataquery,
  DataqueryBuilder,
  PromQueryFormat,
} from '@grafana/grafana-foundation-sdk/prometheus';

/** The one data source of every panel and variable: whatever the reader chose in `$datasource`. */
export const datasource: { readonly type: 'prometheus'; readonly uid: string } = {
  type: 'prometheus',
  uid: '$datasource',
};

/** One PromQL expression of a panel. */
export interface Query {
  readonly expr: string;
  /** Grafana's legend template: `{{label}}` or plain words. Plain words for a query with one series. */
  readonly legend: string;
  /** Asks the data source for exemplars as well; only for queries on histogram buckets. */
  readonly exemplar?: boolean;
  /** One value at the end of the range instead of a series; for tables and bar gauges. */
  readonly instant?: boolean;
  /** `heatmap` hands a heat map the buckets of a classic histogram; `table` a table its labels. */
  readonly format?: 'time_series' | 'heatmap' | 'table';
}

/** Matchers that limit a selector to the reader's `$job` and `$instance`. */
export const scope: readonly string[] = ['job=~"$job"', 'instance=~"$instance"'];

/**
 * A selector of `metric` limited to the reader's `$job` and `$instance`.
 *
 * @param matchers further matchers as PromQL writes them, e.g. `http_response_status_code=~"5.."`
 */
export function select(metric: string, ...matchers: readonly string[]): string {
  return `${metric}{${[...scope, ...matchers].join(', ')}}`;
}

/**
 * A selector of what rules write about alerts (`ALERTS` or `ALERTS_FOR_STATE`), whoever wrote the rules. It is limited to the
 * reader's `$job` and to alerts without a job, which concern every job.
 */
export function selectAlerts(metric: string, ...matchers: readonly string[]): string {
  return `${metric}{${['job=~"$job|"', ...matchers].join(', ')}}`;
}

/** Per-second rate of a counter over Grafana's `$__rate_interval`, which always spans enough scrapes. */
export function rate(counter: string, ...matchers: readonly string[]): string {
  return `rate(${select(counter, ...matchers)}[$__rate_interval])`;
}

/** `quantile` (0–1) of the classic histogram `histogram` (its name without `_bucket`), apart by `by`. */
export function quantile(
  q: number,
  histogram: string,
  by: readonly string[] = [],
  ...matchers: readonly string[]
): string {
  const buckets = rate(`${histogram}_bucket`, ...matchers);
  return `histogram_quantile(${q}, sum by (${['le', ...by].join(', ')}) (${buckets}))`;
}

/**
 * `part / whole`, absent while `whole` is zero, zero while only `part` is absent.
 * Both must be aggregated to the same labels; `part` falls back only when it has none.
 */
export function ratio(part: string, whole: string): string {
  return `(${part} or vector(0)) / (${whole} > 0)`;
}

const refIds = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** The SDK's query; `refId` follows the position, so that it is the same in every build. */
export function buildQuery(query: Query, position: number): Builder<Dataquery> {
  const refId = refIds[position];
  if (refId === undefined) throw new Error(`A panel holds at most ${refIds.length} queries.`);
  const builder = new DataqueryBuilder()
    .refId(refId)
    .datasource(datasource)
    .expr(query.expr)
    .legendFormat(query.legend)
    .format(formats[query.format ?? 'time_series']);
  if (query.instant) builder.instant();
  else builder.range();
  if (query.exemplar) builder.exemplar(true);
  return builder;
}

const formats = {
  time_series: PromQueryFormat.TimeSeries,
  heatmap: PromQueryFormat.Heatmap,
  table: PromQueryFormat.Table,
};
