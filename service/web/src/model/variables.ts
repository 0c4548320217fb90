/** A variable's value: raw text, or the choices of a multi-select. */
export type VariableValue = string | readonly string[];

/** What `$name` stands for in expressions, legends and titles. */
export type Scope = Readonly<Record<string, VariableValue>>;

const pattern = /\$(\w+)|\$\{(\w+)(?::(\w+))?\}|\[\[(\w+)\]\]/g;

/**
 * `text` with its variables replaced as Grafana's Prometheus data source does: choices become an escaped RE2
 * alternation for `=~`, raw text stays itself. Unknown variables stay as written, as Grafana leaves them.
 */
export function interpolate(text: string, scope: Scope): string {
  return text.replace(pattern, (whole, plain, braced, format, legacy) => {
    const value = scope[plain ?? braced ?? legacy];
    if (value === undefined) return whole;
    if (typeof value === 'string') return value;
    return format === 'csv' || format === 'text'
      ? value.join(format === 'csv' ? ',' : ' + ')
      : alternation(value);
  });
}

/** The choices as an alternation inside a PromQL string: escaped for RE2, then for the quotes around it. */
function alternation(values: readonly string[]): string {
  const escaped = values.map((value) =>
    value.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&').replace(/[\\"]/g, '\\$&'),
  );
  return escaped.length === 1 ? (escaped[0] ?? '') : `(${escaped.join('|')})`;
}

/** Names of the variables that `text` uses. */
export function variablesIn(text: string): ReadonlySet<string> {
  return new Set([...text.matchAll(pattern)].map((match) => match[1] ?? match[2] ?? match[4] ?? ''));
}

/** The query of a Grafana variable: the values that `label` has, among series of `selector` if given. */
interface LabelValuesQuery {
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
