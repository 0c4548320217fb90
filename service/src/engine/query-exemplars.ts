import { type Expression, formatValue, type Matcher, parse } from '@weir/promql';
import type { MetricStore } from '../store/metric-store.ts';
import type { MemorySeries } from '../store/series.ts';

/** The exemplars of every series that a query selects, in the shape of `/api/v1/query_exemplars`. */
export function queryExemplars(store: MetricStore, query: string, startMs: number, endMs: number): object[] {
  const found = new Set<MemorySeries>();
  for (const matchers of selectorsOf(parse(query)))
    for (const series of store.index.select(matchers)) found.add(series);
  const result: object[] = [];
  for (const series of [...found].sort((a, b) => a.labels.compare(b.labels))) {
    const exemplars = store.exemplars.of(series, startMs, endMs).map(({ labels, value, timeMs }) => ({
      labels,
      value: formatValue(value),
      timestamp: timeMs / 1000,
    }));
    if (exemplars.length > 0) result.push({ seriesLabels: series.labels, exemplars });
  }
  return result;
}

/** The matchers of every selector in an expression. */
export function selectorsOf(expression: Expression): (readonly Matcher[])[] {
  switch (expression.kind) {
    case 'number':
    case 'string':
      return [];
    case 'selector':
      return [expression.matchers];
    case 'range':
      return [expression.selector.matchers];
    case 'subquery':
    case 'parentheses':
    case 'unary':
      return selectorsOf(expression.expression);
    case 'binary':
      return [...selectorsOf(expression.left), ...selectorsOf(expression.right)];
    case 'call':
      return expression.args.flatMap(selectorsOf);
    case 'aggregate':
      return [
        ...(expression.parameter === undefined ? [] : selectorsOf(expression.parameter)),
        ...selectorsOf(expression.expression),
      ];
  }
}
