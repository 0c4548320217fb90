/**
 * Times the query engine on 5,000 counters scraped every 5 s for one hour (3.6 million samples), 240 steps a query. Rounds
 * are interleaved; the printed figure is the median.
 */
import os from 'node:os';
import { evaluateRange, Labels, type Queryable, type Series } from '@weir/promql';

const seriesCount = 5_000;
const samples = 720;
const scrapeMs = 5_000;
const range = { startMs: 60_000, endMs: 60_000 + 239 * 15_000, stepMs: 15_000 };
const rounds = 9;

const queries = [
  'sum by (x) (rate(m[1m]))',
  'sum by (x) (rate(m[5m]))',
  'm',
  'sum(m)',
  'avg by (x) (avg_over_time(m[5m]))',
  'max_over_time(m[10m])',
  'topk(10, m)',
  'sum by (x) (rate(m[1m])) / sum by (x) (rate(m[5m]))',
  'rate(m[1m]) / on (i) rate(m[5m])',
  'quantile by (x) (0.9, m)',
  'max_over_time(sum by (x) (rate(m[1m]))[10m:15s])',
  'count(m{i=~"1.*|2.*"})',
];

/** Runs every query in every round and prints the medians. */
export async function run(): Promise<void> {
  const store = build();
  const times = new Map<string, number[]>(queries.map((query) => [query, []]));
  for (let round = 0; round < rounds + 2; round++) {
    for (const query of queries) {
      const before = performance.now();
      const result = evaluateRange(store, query, range);
      const elapsed = performance.now() - before;
      if (result.type !== 'matrix' || result.series.length === 0)
        throw new Error(`\`${query}\` answered nothing.`);
      // The first two rounds warm up.
      if (round >= 2) times.get(query)?.push(elapsed);
    }
  }

  console.log(`${os.cpus()[0]?.model}, Node ${process.versions.node}, ${rounds} rounds`);
  for (const [query, taken] of times) {
    taken.sort((a, b) => a - b);
    const [least, median, most] = [taken[0], taken[rounds >> 1], taken.at(-1)].map((ms) => ms?.toFixed(0));
    console.log(`${String(median).padStart(6)} ms  (${least}–${most})  ${query}`);
  }
}

function build(): Queryable {
  const series: Series[] = [];
  for (let i = 0; i < seriesCount; i++) {
    const timestamps = new Float64Array(samples);
    const values = new Float64Array(samples);
    for (let j = 0; j < samples; j++) {
      timestamps[j] = j * scrapeMs + (i % 50);
      // Now and then a restart, so that resets are corrected.
      values[j] = ((j + i) % 500) * (1 + (i % 7)) + (i % 11);
    }
    series.push({
      labels: Labels.from({ __name__: 'm', x: String(i % 20), i: String(i) }),
      timestamps,
      values,
    });
  }
  return {
    select: (matchers) =>
      series.filter(({ labels }) => matchers.every(({ name, matches }) => matches(labels.get(name)))),
  };
}
