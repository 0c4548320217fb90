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

/** Where two answers differ by more than `tolerance` of the value, a line each; but for moments to be `skipped`. */
export function differences(
  left: Matrix,
  right: Matrix,
  skipped: (seconds: number) => boolean = () => false,
): readonly string[] {
  const found: string[] = [];
  for (const labels of new Set([...left.keys(), ...right.keys()])) {
    const ours = left.get(labels) ?? new Map<number, number>();
    const theirs = right.get(labels) ?? new Map<number, number>();
    for (const seconds of new Set([...ours.keys(), ...theirs.keys()])) {
      const a = ours.get(seconds);
      const b = theirs.get(seconds);
      if (!same(a, b) && !skipped(seconds)) found.push(`${labels} at ${seconds}: ${a} and ${b}`);
    }
  }
  return found;
}

function same(a: number | undefined, b: number | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  if (Object.is(a, b) || a === b || (Number.isNaN(a) && Number.isNaN(b))) return true;
  return Math.abs(a - b) <= tolerance * Math.max(Math.abs(a), Math.abs(b));
}

/**
 * Moments, in seconds, at which a series that `expr` selects began after the range did: queries whose windows hold a
 * beginning are answered otherwise by Prometheus before and since version 3.
 */
export async function births(
  url: string,
  expr: string,
  { start, end }: { readonly start: number; readonly end: number },
): Promise<readonly number[]> {
  const selectors = new Set(
    [...expr.matchAll(/([a-z_:]\w*(?:_total|_count|_sum|_bucket))(\{[^}]*\})?/g)].map(([text]) => text),
  );
  const found: number[] = [];
  for (const selector of selectors) {
    const window = `${Math.ceil(end - start)}s`;
    const answer = await rangeQuery(url, `min_over_time(timestamp(${selector})[${window}:1s])`, {
      start: end,
      end,
      step: 1,
    });
    for (const values of answer.values()) {
      for (const first of values.values()) if (first > start + 2) found.push(first);
    }
  }
  return found;
}
