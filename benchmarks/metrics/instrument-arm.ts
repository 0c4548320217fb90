/** Child process: time of an observation and of a scrape of 10,000 series, and whether the scraped values are equal. */
import { createRequire } from 'node:module';
import { createMetrics } from '@weir/metrics';

const require = createRequire(import.meta.url);
const prom = require('prom-client') as typeof import('prom-client');
const OBSERVATIONS = 200_000;
const SERIES = 10_000;
const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const methods = ['GET', 'POST', 'PUT'];
const routes = Array.from({ length: 20 }, (_, index) => `/route/${index}`);

function values(): {
  readonly observe: { weir: () => number; 'prom-client': () => number; null: () => number };
  equal: () => Promise<boolean>;
} {
  const metrics = createMetrics({ service: 'bench', runtime: false });
  const ours = metrics.histogram({ name: 'h', help: 'h', labels: ['method', 'route', 'status'], buckets });
  const theirs = new prom.Histogram({
    name: 'h',
    help: 'h',
    labelNames: ['method', 'route', 'status'],
    buckets,
    registers: [new prom.Registry()],
  });
  const time = (observe: (method: string, route: string, value: number) => void) => () => {
    const start = process.hrtime.bigint();
    for (let index = 0; index < OBSERVATIONS; index += 1) {
      observe(methods[index % 3] as string, routes[index % 20] as string, (index % 1000) / 100);
    }
    return Number(process.hrtime.bigint() - start) / OBSERVATIONS;
  };
  let sink = 0;
  return {
    observe: {
      null: time((_method, _route, value) => {
        sink += value;
      }),
      weir: time((method, route, value) => ours.labels(method, route, '200').observe(value)),
      'prom-client': time((method, route, value) => theirs.observe({ method, route, status: '200' }, value)),
    },
    equal: async () => {
      const data = (await theirs.get()) as unknown as {
        values: { metricName: string; labels: Record<string, string>; value: number }[];
      };
      const lines = new Map(
        (await metrics.scrape()).body
          .split('\n')
          .map((line) => [
            line.slice(0, line.lastIndexOf(' ')),
            Number(line.slice(line.lastIndexOf(' ') + 1)),
          ]),
      );
      return (
        sink > 0 &&
        data.values.every(({ metricName, labels, value }) => {
          const { method, route, status, le } = labels;
          const bound = le === undefined ? '' : `,le="${le}"`;
          return (
            lines.get(`${metricName}{method="${method}",route="${route}",status="${status}"${bound}}`) ===
            value
          );
        })
      );
    },
  };
}

function scrapes(): Record<'weir' | 'prom-client', () => Promise<number>> {
  const metrics = createMetrics({ service: 'bench', runtime: false });
  const ours = metrics.counter({ name: 'c_total', help: 'c', labels: ['a', 'b'], maxSeries: SERIES });
  const registry = new prom.Registry();
  const theirs = new prom.Counter({
    name: 'c_total',
    help: 'c',
    labelNames: ['a', 'b'],
    registers: [registry],
  });
  for (let index = 0; index < SERIES; index += 1) {
    ours.labels(`a${index}`, 'b').inc(index);
    theirs.labels(`a${index}`, 'b').inc(index);
  }
  const time = (render: () => Promise<string>) => async () => {
    const start = process.hrtime.bigint();
    const text = await render();
    const elapsed = Number(process.hrtime.bigint() - start) / 1e6;
    if (text.split('\n').filter((line) => line.startsWith('c_total{')).length !== SERIES)
      throw new Error('unequal work');
    return elapsed;
  };
  return {
    weir: time(async () => (await metrics.scrape()).body),
    'prom-client': time(() => registry.metrics()),
  };
}

const { observe, equal } = values();
const rounds = Number(process.argv[2]);
const result = {
  observeNs: [] as Record<string, number>[],
  scrapeMs: [] as Record<string, number>[],
  equal: false,
};
const scrape = scrapes();
for (let round = 0; round < rounds + 2; round += 1) {
  const observed = { null: observe.null(), weir: observe.weir(), 'prom-client': observe['prom-client']() };
  const scraped = { weir: await scrape.weir(), 'prom-client': await scrape['prom-client']() };
  // The first two rounds warm up.
  if (round < 2) continue;
  result.observeNs.push(observed);
  result.scrapeMs.push(scraped);
}
result.equal = await equal();
process.send?.(result);
