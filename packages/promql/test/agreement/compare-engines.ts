import { seededRandom } from '@weir/test-kit';
import { PromqlError } from '../../src/errors.ts';
import { evaluateInstant, evaluateRange, type QueryResult } from '../../src/query.ts';
import { type AgreementData, randomData } from './random-data.ts';
import { QueryGenerator } from './random-query.ts';
import { type Answer, pointKey, startPrometheusWith } from './real-prometheus.ts';

export interface Comparison {
  readonly queries: number;
  /** Values both engines gave. */
  readonly values: number;
  /** Queries that both refused, and that both answered with nothing. */
  readonly errors: number;
  readonly empty: number;
  readonly differences: readonly { readonly query: string; readonly why: string }[];
}

const tolerance = 1e-9;

/** Asks both engines `count` generated queries over the same data (random ones by default), half of them as range queries. */
export async function compareEngines(
  seed: number,
  count: number,
  data: AgreementData = randomData(seededRandom(seed)),
): Promise<Comparison> {
  const random = seededRandom(seed);
  const { firstMs, stepMs, moments } = data;
  const moment = (): number => firstMs + Math.floor(random() * moments) * stepMs;
  const generator = new QueryGenerator(data.words, random, () => moment() / 1000);
  const prometheus = await startPrometheusWith(data.openMetrics);
  const differences: { query: string; why: string }[] = [];
  let values = 0;
  let errors = 0;
  let empty = 0;
  try {
    for (let i = 0; i < count; i++) {
      const query = generator.query();
      const endMs = moment();
      const range = i % 2 === 0 ? undefined : { startMs: endMs - 20 * stepMs, endMs, stepMs };
      const theirs =
        range === undefined ? await prometheus.instant(query, endMs) : await prometheus.range(query, range);
      const ours = answer(() =>
        range === undefined
          ? evaluateInstant(data.queryable, query, endMs)
          : evaluateRange(data.queryable, query, range),
      );
      const why = difference(ours, theirs);
      if (why !== undefined)
        differences.push({ query: `${range === undefined ? 'at' : 'to'} ${endMs}: ${query}`, why });
      else if (ours.kind === 'error') errors++;
      else if (ours.values.size === 0) empty++;
      else values += ours.values.size;
    }
  } finally {
    await prometheus.stop();
  }
  return { queries: count, values, errors, empty, differences };
}

function answer(evaluate: () => QueryResult): Answer {
  try {
    const result = evaluate();
    const values = new Map<string, number>();
    if (result.type === 'scalar') values.set(pointKey({}, result.timeMs), result.value);
    if (result.type === 'vector')
      for (const { labels, timeMs, value } of result.samples)
        values.set(pointKey(labels.toJSON(), timeMs), value);
    if (result.type === 'matrix')
      for (const series of result.series)
        for (const [index, timeMs] of series.timestamps.entries())
          values.set(pointKey(series.labels.toJSON(), timeMs), series.values[index] as number);
    return { kind: 'values', values };
  } catch (error) {
    if (error instanceof PromqlError) return { kind: 'error', message: error.message };
    throw error;
  }
}

function difference(ours: Answer, theirs: Answer): string | undefined {
  if (ours.kind === 'error' || theirs.kind === 'error') {
    if (ours.kind === theirs.kind) return undefined;
    return ours.kind === 'error'
      ? `only we fail: ${ours.message}`
      : `only they fail: ${(theirs as { message: string }).message}`;
  }
  for (const [key, value] of theirs.values) {
    const own = ours.values.get(key);
    if (own === undefined) return `${key}: they have ${value}, we have nothing`;
    if (!agree(own, value)) return `${key}: they have ${value}, we have ${own}`;
  }
  for (const [key, value] of ours.values)
    if (!theirs.values.has(key)) return `${key}: we have ${value}, they have nothing`;
  return undefined;
}

function agree(a: number, b: number): boolean {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true;
  return Math.abs(a - b) <= tolerance * Math.max(1, Math.abs(a), Math.abs(b));
}
