import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LatencyHistogram } from '../src/load/histogram.ts';
import { Measurement } from '../src/load/measurement.ts';

test('percentiles are within 0.1 % of the exact ones, merged or not', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 3_000_000_000 }), { minLength: 1, maxLength: 300 }),
      (us) => {
        const whole = new LatencyHistogram();
        const halves = [new LatencyHistogram(), new LatencyHistogram()] as const;
        us.forEach((value, index) => {
          whole.record(value / 1_000);
          halves[index % 2 === 0 ? 0 : 1].record(value / 1_000);
        });
        halves[0].add(halves[1]);
        const sorted = us.toSorted((a, b) => a - b);
        for (const percent of [50, 90, 99, 99.9, 100]) {
          const exact = (sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? 0) / 1_000;
          expect(Math.abs(whole.percentileMs(percent) - exact)).toBeLessThanOrEqual(exact * 0.001 + 1e-9);
          expect(halves[0].percentileMs(percent)).toBe(whole.percentileMs(percent));
        }
        expect(halves[0].summary()).toEqual(whole.summary());
      },
    ),
  );
});

test('an empty histogram reports zeros, and a latency beyond an hour is kept as an hour', () => {
  const histogram = new LatencyHistogram();
  expect(Object.values(histogram.summary())).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  histogram.record(10 * 3_600_000);
  expect(histogram.summary().max).toBeGreaterThan(3_590_000);
});

test('a request belongs to the phase in which it began', () => {
  const measurement = new Measurement(0, 1_000, 2_000);
  measurement.answered(900, 200, 1_100, 200, 10);
  measurement.answered(1_000, 5, 1_005, 200, 10);
  measurement.answered(2_990, 500, 3_490, 200, 10);
  measurement.answered(3_001, 5, 3_006, 200, 10);
  measurement.failed(950, 1_200, 'timeout');
  measurement.failed(2_000, 2_400, 'timeout');
  measurement.failed(2_100, 2_101, 'cut');
  measurement.end(4_000);
  expect(measurement.counts()).toEqual({ total: 4, ok: 2, non2xx: 0, errors: 2, timeouts: 1, perSecond: 1 });
  expect(measurement.latency().max).toBeCloseTo(500, 0);
  expect(measurement.bytesPerSecond()).toBe(10);
});

test('rates count what ended in the measured time, whenever it began, and the timeline adds up to them', () => {
  const ms = (max: number) => fc.integer({ min: 0, max });
  fc.assert(
    fc.property(
      ms(2_000),
      fc.integer({ min: 1, max: 4_000 }),
      fc.array(fc.tuple(ms(7_000), ms(5_000), ms(100))),
      (warmupMs, durationMs, requests) => {
        const measurement = new Measurement(0, warmupMs, durationMs);
        const ending = requests.toSorted((a, b) => a[0] + a[1] - b[0] - b[1]);
        for (const [startMs, tookMs, bytes] of ending)
          measurement.answered(startMs, tookMs, startMs + tookMs, 200, bytes);
        measurement.end(20_000);
        const endMs = warmupMs + durationMs;
        const within = requests.filter(([start, took]) => start + took >= warmupMs && start + took < endMs);
        const seconds = durationMs / 1_000;
        expect(measurement.counts().perSecond).toBeCloseTo(within.length / seconds, 1);
        const bytes = within.reduce((sum, [, , size]) => sum + size, 0);
        expect(measurement.bytesPerSecond()).toBeCloseTo(bytes / seconds, 1);
        expect(measurement.counts().total).toBe(
          requests.filter(([start]) => start >= warmupMs && start < endMs).length,
        );
        if (durationMs % 1_000 !== 0) return;
        const points = measurement.timeline();
        expect(points.reduce((sum, point) => sum + point.requestsPerSecond, 0)).toBe(within.length);
      },
    ),
  );
});

test('a server that answers a third of what is due shows its own rate, after a warm-up and without one', () => {
  for (const warmupMs of [0, 2_000]) {
    const measurement = new Measurement(0, warmupMs, 3_000);
    // Due every 10/3 ms, answered every 10 ms in the order of their arrival.
    for (let index = 0; index * (10 / 3) < warmupMs + 3_000; index += 1) {
      const dueMs = index * (10 / 3);
      measurement.answered(dueMs, (index + 1) * 10 - dueMs, (index + 1) * 10, 200, 7);
    }
    measurement.end(60_000);
    expect(measurement.counts()).toMatchObject({ total: 900, ok: 900 });
    expect(measurement.counts().perSecond).toBeCloseTo(100, -1);
    expect(measurement.bytesPerSecond()).toBeCloseTo(700, -1);
  }
});

test('a stalled second stands in the timeline as zeros', () => {
  const measurement = new Measurement(0, 0, 4_000);
  measurement.answered(100, 10, 110, 200, 1);
  measurement.answered(120, 3_000, 3_120, 200, 1);
  measurement.end(4_000);
  expect(measurement.timeline().map((point) => [point.atMs, point.requestsPerSecond])).toEqual([
    [1_000, 1],
    [2_000, 0],
    [3_000, 0],
    [4_000, 1],
  ]);
});

test('progress tells the phase, and ends at its total', () => {
  const measurement = new Measurement(0, 1_000, 1_000);
  measurement.answered(10, 1, 11, 200, 1);
  expect(measurement.progress(500)).toMatchObject({
    phase: 'warmup',
    elapsedMs: 500,
    totalMs: 2_000,
    requests: 1,
  });
  measurement.failed(1_100, 1_101, 'cut');
  expect(measurement.progress(1_500)).toMatchObject({ phase: 'running', requests: 1, errors: 1 });
  expect(measurement.progress(9_000).elapsedMs).toBe(2_000);
});
