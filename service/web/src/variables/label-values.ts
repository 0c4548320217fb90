/** The query of a Grafana variable: the values that `label` has, among series of `selector` if given. */
export interface LabelValuesQuery {
  readonly label: string;
  readonly selector: string | undefined;
}

/** Reads `label_values(label)` and `label_values(selector, label)`; `undefined` for any other query. */
export function parseLabelValues(query: string): LabelValuesQuery | undefined {
  const match = /^\s*label_values\(\s*(?:(.+)\s*,\s*)?([a-zA-Z_]\w*)\s*\)\s*$/.exec(query);
  if (match?.[2] === undefined) return undefined;
  return { label: match[2], selector: match[1]?.trim() };
}

/** Sorts as people count: `shop-2` before `shop-10`. */
export function naturalOrder(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}
