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
      JSON.stringify(Object.entries(metric).sort(([a], [b]) => (a < b ? -1 : 1))),
      new Map(values.map(([seconds, value]) => [seconds, number(value)])),
    ]),
  );
}

function number(text: string): number {
  return text.endsWith('Inf') ? (text.startsWith('-') ? -Infinity : Infinity) : Number(text);
}

/** Where two answers differ by more than `tolerance` of the value, a line each. */
export function differences(left: Matrix, right: Matrix, tolerance = 1e-9): readonly string[] {
  const found: string[] = [];
  for (const labels of new Set([...left.keys(), ...right.keys()])) {
    const ours = left.get(labels) ?? new Map<number, number>();
    const theirs = right.get(labels) ?? new Map<number, number>();
    for (const seconds of new Set([...ours.keys(), ...theirs.keys()])) {
      const a = ours.get(seconds);
      const b = theirs.get(seconds);
      if (!same(a, b, tolerance)) found.push(`${labels} at ${seconds}: ${a} and ${b}`);
    }
  }
  return found;
}

function same(a: number | undefined, b: number | undefined, tolerance: number): boolean {
  if (a === undefined || b === undefined) return false;
  if (Object.is(a, b) || a === b || (Number.isNaN(a) && Number.isNaN(b))) return true;
  return Math.abs(a - b) <= tolerance * Math.max(Math.abs(a), Math.abs(b));
}
