import { evaluateInstant, evaluateRange, MemoryQueryable } from '@weir/promql';

// One request counter of two processes, scraped every 15 seconds for 10 minutes.
const scrapes = Array.from({ length: 41 }, (_, index) => index);
const store = new MemoryQueryable()
  .add(
    'requests_total{instance="a"}',
    scrapes.map((index) => [index * 15_000, index * 30]),
  )
  .add(
    'requests_total{instance="b"}',
    scrapes.map((index) => [index * 15_000, index * 15]),
  );

const now = evaluateInstant(store, 'sum by (instance) (rate(requests_total[5m]))', 600_000);
if (now.type === 'vector') for (const { labels, value } of now.samples) console.log(labels.toString(), value);

const course = evaluateRange(store, 'sum(rate(requests_total[1m]))', {
  startMs: 300_000,
  endMs: 600_000,
  stepMs: 150_000,
});
if (course.type === 'matrix')
  for (const { timestamps, values } of course.series) console.log([...timestamps], [...values]);

try {
  evaluateInstant(store, 'sum(rate(requests_total))', 600_000);
} catch (error) {
  console.log(String(error));
}
