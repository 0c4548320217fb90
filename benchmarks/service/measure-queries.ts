import { readFileSync } from 'node:fs';
import { dashboards } from '@weir/dashboards';
import type { MeasuredServer } from './servers.ts';

export interface QueryTiming {
  readonly query: string;
  readonly series: number;
  readonly weirMs: number;
  readonly prometheusMs: number;
  readonly ratio: number;
}

interface Panel {
  readonly targets?: readonly { readonly expr?: string }[];
  readonly panels?: readonly Panel[];
}

/** Every query of every dashboard, its variables filled in. */
function dashboardQueries(): string[] {
  const found = new Set<string>();
  const collect = (panels: readonly Panel[]): void => {
    for (const { targets = [], panels: inner = [] } of panels) {
      for (const { expr } of targets)
        if (expr !== undefined)
          found.add(
            expr
              .replaceAll('$job', 'shop')
              .replaceAll('$instance', '.*')
              .replaceAll('$__rate_interval', '1m')
              .replaceAll('$__interval', '1m')
              .replaceAll('$__range', '1h'),
          );
      collect(inner);
    }
  };
  for (const { file } of dashboards)
    collect((JSON.parse(readFileSync(file, 'utf8')) as { panels: Panel[] }).panels);
  return [...found];
}

const stepMs = 60_000;

/** The ten dashboard queries that Prometheus takes longest for, over the whole range, in interleaved rounds. */
export async function measureQueries(
  weir: MeasuredServer,
  prometheus: MeasuredServer,
  range: { readonly startMs: number; readonly endMs: number },
  rounds: number,
): Promise<QueryTiming[]> {
  const ask = async ({ url }: MeasuredServer, query: string): Promise<{ ms: number; result: unknown[] }> => {
    const started = performance.now();
    const response = await fetch(`${url}/api/v1/query_range`, {
      method: 'POST',
      body: new URLSearchParams({
        query,
        start: String(range.startMs / 1000),
        end: String(range.endMs / 1000),
        step: String(stepMs / 1000),
      }),
    });
    const text = await response.text();
    const ms = performance.now() - started;
    const { data, error } = JSON.parse(text) as { data?: { result: unknown[] }; error?: string };
    if (data === undefined) throw new Error(`${url}: ${query}: ${error}`);
    return { ms, result: data.result };
  };
  const candidates: { query: string; ms: number; series: number }[] = [];
  for (const query of dashboardQueries()) {
    const other = await ask(prometheus, query);
    const own = await ask(weir, query);
    if (other.result.length === 0) continue;
    // Equal work: the same series with the same number of points.
    if (count(own.result) !== count(other.result))
      throw new Error(`${query}: ${count(own.result)} points, Prometheus has ${count(other.result)}.`);
    candidates.push({ query, ms: (await ask(prometheus, query)).ms, series: other.result.length });
  }
  candidates.sort((a, b) => b.ms - a.ms);
  const timings: QueryTiming[] = [];
  for (const { query, series } of candidates.slice(0, 10)) {
    const own: number[] = [];
    const other: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const inTurn = round % 2 === 0 ? [weir, prometheus] : [prometheus, weir];
      for (const server of inTurn) (server === weir ? own : other).push((await ask(server, query)).ms);
    }
    const [weirMs, prometheusMs] = [median(own), median(other)];
    timings.push({ query, series, weirMs, prometheusMs, ratio: weirMs / prometheusMs });
  }
  return timings;
}

function count(result: readonly unknown[]): number {
  return (result as { values: unknown[] }[]).reduce((sum, { values }) => sum + values.length, 0);
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
