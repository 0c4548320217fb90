import { Labels } from '../../src/labels.ts';
import { MemoryQueryable } from '../../src/memory-queryable.ts';
import type { Vocabulary } from './random-query.ts';

/** The same samples for the engine and, as OpenMetrics text, for `promtool tsdb create-blocks-from openmetrics`. */
export interface AgreementData {
  readonly queryable: MemoryQueryable;
  readonly openMetrics: string;
  /** Moments at which queries are asked: `firstMs` and later ones `stepMs` apart, so many. None is a sample's or a window's edge. */
  readonly firstMs: number;
  readonly stepMs: number;
  readonly moments: number;
  readonly words: Vocabulary;
}

const startMs = 1_700_000_100_000;
const minutes = 90;
const scrapeMs = 15_000;

interface Shape {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly labels: readonly Readonly<Record<string, string>>[];
}

const shapes: readonly Shape[] = [
  {
    name: 'requests_total',
    type: 'counter',
    labels: product({ job: ['a', 'b', 'c'], code: ['200', '404', '500'] }),
  },
  { name: 'errors_total', type: 'counter', labels: product({ job: ['a', 'b'], code: ['500'] }) },
  { name: 'temperature', type: 'gauge', labels: product({ job: ['a', 'b', 'c'], room: ['x', 'y'] }) },
  { name: 'load', type: 'gauge', labels: product({ job: ['a', 'b', 'c'] }) },
];

const words: Vocabulary = {
  counters: ['requests_total', 'errors_total', 'requests_total{job="a"}', 'requests_total{code!="404"}'],
  metrics: [
    ['requests_total', ['job="a"', 'job!="b"', 'code=~"[45].."', 'job=~"a|c"', 'code!~"2.*"', 'job=~".+"']],
    ['errors_total', ['job="a"', 'code="500"', 'job!~"b|c"']],
    ['temperature', ['room="x"', 'job!="a"', 'room=~"x|y"', 'floor=""']],
    ['load', ['job=~"[ab]"', 'job!=""']],
    ['nothing', ['job="a"']],
  ],
  nameless: '{__name__=~"load|temperature",job!="c"}',
  ranked: ['requests_total', 'errors_total', 'temperature', 'load'],
  buckets: 'latency_seconds_bucket',
  labels: ['job', 'code', 'room'],
  ranges: ['30s', '1m', '2m', '5m', '12m'],
  offsets: ['15s', '1m', '7m30s', '-1m'],
  steps: ['15s', '30s', '1m', ''],
};

/**
 * Ninety minutes of counters with restarts, gauges of both signs, a histogram, gaps and late starts. No sample's time is a
 * whole second, so that none falls on the end of a range: there Prometheus 2 and 3 differ.
 */
export function randomData(random: () => number): AgreementData {
  const queryable = new MemoryQueryable();
  const lines: string[] = [];
  const add = (
    name: string,
    labels: Readonly<Record<string, string>>,
    points: readonly [number, number][],
  ): void => {
    const text = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
    queryable.add(Labels.from({ __name__: name, ...labels }), points);
    for (const [timeMs, value] of points)
      lines.push(`${name}{${text.join(',')}} ${value} ${(timeMs / 1000).toFixed(3)}`);
  };
  for (const { name, type, labels } of shapes) {
    lines.push(`# TYPE ${name.replace(/_total$/, '')} ${type}`);
    for (const set of labels) add(name, set, type === 'counter' ? counter(random) : gauge(random));
  }
  lines.push('# TYPE latency_seconds histogram');
  for (const job of ['a', 'b'])
    addHistogram(random, (le, points) => add('latency_seconds_bucket', { job, le }, points));
  return {
    queryable,
    openMetrics: `${lines.join('\n')}\n# EOF\n`,
    // Seven seconds past a quarter of a minute: no multiple of any step or range is a sample's or a subquery's time.
    firstMs: startMs + 40 * 60_000 + 7_000,
    stepMs: 60_000,
    moments: 45,
    words,
  };
}

function addHistogram(random: () => number, add: (le: string, points: [number, number][]) => void): void {
  const bounds = ['0.1', '0.5', '1', '2.5', '+Inf'];
  const totals = bounds.map(() => 100);
  const times = scrapes(random);
  const points = bounds.map((): [number, number][] => []);
  for (const timeMs of times) {
    let grown = 0;
    for (const [index] of bounds.entries()) {
      grown += Math.floor(random() * 20);
      totals[index] = (totals[index] as number) + grown;
      (points[index] as [number, number][]).push([timeMs, totals[index] as number]);
    }
  }
  for (const [index, le] of bounds.entries()) add(le, points[index] as [number, number][]);
}

// Mostly high above their increase, so that hardly an extrapolation ends at zero: there, too, the versions differ.
function counter(random: () => number): [number, number][] {
  let value = 100_000 + Math.floor(random() * 1_000);
  const speed = 1 + random() * 50;
  return scrapes(random).map((timeMs): [number, number] => {
    value = random() < 0.008 ? Math.floor(value / 5) : value + Math.floor(random() * speed * 10) / 8;
    return [timeMs, value];
  });
}

function gauge(random: () => number): [number, number][] {
  let value = (random() - 0.5) * 100;
  return scrapes(random).map((timeMs): [number, number] => {
    if (random() < 0.7) value += (random() - 0.5) * 10;
    return [timeMs, Number(value.toFixed(4))];
  });
}

/** Scrape times with jitter; some missing, now and then ten minutes in a row. */
function scrapes(random: () => number): number[] {
  const times: number[] = [];
  const first = startMs + (random() < 0.2 ? 20 * 60_000 : 0);
  let gapEnd = 0;
  for (let at = first; at < startMs + minutes * 60_000; at += scrapeMs) {
    if (random() < 0.004) gapEnd = at + 10 * 60_000;
    if (at < gapEnd || random() < 0.03) continue;
    times.push(at + 1 + Math.floor(random() * 998));
  }
  return times;
}

function product(values: Readonly<Record<string, readonly string[]>>): Record<string, string>[] {
  return Object.entries(values).reduce<Record<string, string>[]>(
    (sets, [label, choices]) => sets.flatMap((set) => choices.map((value) => ({ ...set, [label]: value }))),
    [{}],
  );
}
