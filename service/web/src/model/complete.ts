/** What can be typed next, and the part of the text that a choice replaces. */
export interface Completion {
  readonly from: number;
  readonly to: number;
  readonly candidates: readonly string[];
}

/** Functions and aggregations worth offering; the engine knows more. */
const words = [
  ...['sum', 'avg', 'max', 'min', 'count', 'topk', 'bottomk', 'quantile', 'stddev', 'group'],
  ...['rate', 'irate', 'increase', 'delta', 'deriv', 'changes', 'resets', 'histogram_quantile'],
  ...['avg_over_time', 'max_over_time', 'min_over_time', 'sum_over_time', 'count_over_time'],
  ...['quantile_over_time', 'last_over_time', 'absent', 'clamp_min', 'clamp_max', 'label_replace'],
  ...['sort', 'sort_desc', 'time', 'timestamp', 'vector', 'scalar', 'round', 'abs', 'ceil', 'floor'],
];

/**
 * Completes the name before `cursor`: labels inside braces and groupings, metrics and functions elsewhere. Names that
 * begin with what is typed come before those that hold it.
 */
export function complete(
  text: string,
  cursor: number,
  known: { readonly metrics: readonly string[]; readonly labels: readonly string[] },
): Completion {
  const before = text.slice(0, cursor);
  const typed = /[a-zA-Z_:][\w:]*$/.exec(before)?.[0] ?? '';
  const nothing = { from: cursor, to: cursor, candidates: [] };
  if (typed === '' || inString(before)) return nothing;
  const from = cursor - typed.length;
  const pool = inLabels(before) ? known.labels : [...known.metrics, ...words];
  const lower = typed.toLowerCase();
  const begin = pool.filter((name) => name.toLowerCase().startsWith(lower));
  const hold = pool.filter((name) => !begin.includes(name) && name.toLowerCase().includes(lower));
  const candidates = [...begin, ...hold].filter((name) => name !== typed).slice(0, 12);
  return { from, to: cursor, candidates };
}

/** An odd number of quotes before the cursor: it stands inside a string. */
function inString(before: string): boolean {
  return (before.replace(/\\./g, '').match(/"/g)?.length ?? 0) % 2 === 1;
}

function inLabels(before: string): boolean {
  const braces = before.lastIndexOf('{') > before.lastIndexOf('}');
  return braces || /\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*$/.test(before);
}
