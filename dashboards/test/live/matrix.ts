/** A series of a range query: labels as sorted text → seconds → value. */
export type Matrix = ReadonlyMap<string, ReadonlyMap<number, number>>;

/** Asks `url` for the series of `expr`; fails with the engine's own words. */
export async function rangeQuery(
  url: string,
  expr: string,
  range: { readonly start: number; readonly end: number; readonly step: number },
): Promise<Matrix> {
  const body = new URLSearchParams({
    query: expr,
    start: String(range.start),
    end: String(range.end),
    step: String(range.step),
  });
  const response = await fetch(`${url}/api/v1/query_range`, { method: 'POST', body });
  const answer = (await response.json()) as {
    status: string;
    error?: string;
    data: { result: { metric: Record<string, string>; values: [number, string][] }[] };
  };
  if (answer.status !== 'success') throw new Error(`${answer.error}: ${expr}`);
  return new Map(
    answer.data.result.map(({ metric, values }) => [
      JSON.stringify(
        Object.entries(metric)
          .map(
            ([name, value]) => [name, name === 'le' || name === 'quantile' ? bound(value) : value] as const,
          )
          .sort(([a], [b]) => (a < b ? -1 : 1)),
      ),
      new Map(values.map(([seconds, value]) => [seconds, number(value)])),
    ]),
  );
}

/** Prometheus 3, and the service with it, writes whole bounds as `1.0`, Prometheus 2 as they are exposed, `1`. */
function bound(text: string): string {
  return text === '+Inf' ? text : String(Number(text));
}

function number(text: string): number {
  return text.endsWith('Inf') ? (text.startsWith('-') ? -Infinity : Infinity) : Number(text);
}

const tolerance = 1e-9;

/** Where two answers differ by more than `tolerance` of the value, a line each. */
export interface Comparison {
  readonly differing: readonly string[];
  /** Points that were compared, and that were not since they may differ. */
  readonly points: number;
  readonly skipped: number;
}

/** Compares two answers point by point, but for moments at which they may differ. */
export function differences(
  left: Matrix,
  right: Matrix,
  mayDiffer: (seconds: number) => boolean = () => false,
): Comparison {
  const differing: string[] = [];
  let points = 0;
  let skipped = 0;
  for (const labels of new Set([...left.keys(), ...right.keys()])) {
    const ours = left.get(labels) ?? new Map<number, number>();
    const theirs = right.get(labels) ?? new Map<number, number>();
    for (const seconds of new Set([...ours.keys(), ...theirs.keys()])) {
      const a = ours.get(seconds);
      const b = theirs.get(seconds);
      if (mayDiffer(seconds)) skipped += 1;
      else {
        points += 1;
        if (!same(a, b)) differing.push(`${labels} at ${seconds}: ${a} and ${b}`);
      }
    }
  }
  return { differing, points, skipped };
}

function same(a: number | undefined, b: number | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  if (Object.is(a, b) || a === b || (Number.isNaN(a) && Number.isNaN(b))) return true;
  return Math.abs(a - b) <= tolerance * Math.max(Math.abs(a), Math.abs(b));
}

/**
 * Whether Prometheus before version 3 answers `expr` otherwise than since at a moment, in seconds: it lets a counter begin
 * before its first sample in the window, at most where it was zero, and bounds that by another order of the same steps.
 * That shows only where the first sample is small beside the increase: first / increase < 1.1 / (samples - 1).
 *
 * @param windowSeconds how far before a moment the expression looks, subqueries and offsets included
 */
export async function youngCounters(
  url: string,
  expr: string,
  { start, end }: { readonly start: number; readonly end: number },
  windowSeconds: number,
): Promise<(seconds: number) => boolean> {
  const rated = new Set([...expr.matchAll(/[a-z_:]\w*(?:\{[^}]*\})?\[(\d+)(ms|s)\]/g)].map(([text]) => text));
  const spans: { readonly from: number; readonly to: number }[] = [];
  for (const range of rated) {
    const first = `min_over_time(${range})`;
    const young = `(max_over_time(${range}) - ${first}) * 1.1 > (${first} > 0) * (count_over_time(${range}) - 1)`;
    const seconds = durationSeconds(/\[(\w+)\]$/.exec(range)?.[1] ?? '');
    for (const values of (await rangeQuery(url, young, { start, end, step: 1 })).values()) {
      for (const from of values.keys()) spans.push({ from, to: from + Math.ceil(windowSeconds - seconds) });
    }
  }
  return (seconds) => spans.some(({ from, to }) => seconds >= from && seconds <= to);
}

/** `250ms` → 0.25. */
export function durationSeconds(text: string): number {
  return Number.parseFloat(text) / (text.endsWith('ms') ? 1000 : 1);
}
