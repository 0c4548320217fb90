import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createArrivalSchedule, startPacer } from '../src/load/open-loop.ts';
import { batchOutcomes, replayOutcomes } from '../src/load/shared-open-loop.ts';

const stage = fc.record({
  durationMs: fc.integer({ min: 10, max: 2_000 }),
  rate: fc.integer({ min: 1, max: 1_000 }),
  from: fc.integer({ min: 1, max: 1_000 }),
});

test('a constant rate is even', () => {
  const schedule = createArrivalSchedule([{ durationMs: 1_000, rate: 250 }]);
  const due = Array.from({ length: 251 }, (_, index) => schedule.dueMs(index));
  expect(due.slice(0, 4)).toEqual([0, 4, 8, 12]);
  expect(due[249]).toBeCloseTo(996, 9);
  expect(due[250]).toBe(Number.POSITIVE_INFINITY);
});

test('whatever the stages, N(t) arrivals are due by t', () => {
  fc.assert(
    fc.property(fc.array(stage, { minLength: 1, maxLength: 4 }), (stages) => {
      const schedule = createArrivalSchedule(stages);
      const total = stages.reduce(
        (sum, { durationMs, rate, from }) => sum + ((from + rate) / 2_000) * durationMs,
        0,
      );
      let index = 0;
      let previous = -1;
      for (let due = schedule.dueMs(0); due !== Number.POSITIVE_INFINITY; due = schedule.dueMs(index)) {
        if (due < previous || Math.abs(countBy(stages, due) - index) > 1e-3)
          expect.fail(`arrival ${index} at ${due} ms`);
        previous = due;
        index += 1;
      }
      expect(Math.abs(index - Math.ceil(total - 1e-9))).toBeLessThanOrEqual(1);
      expect(previous).toBeLessThanOrEqual(stages.reduce((sum, { durationMs }) => sum + durationMs, 0));
    }),
    { numRuns: 20 },
  );
});

function countBy(
  stages: readonly { durationMs: number; rate: number; from: number }[],
  atMs: number,
): number {
  let count = 0;
  let beginMs = 0;
  for (const { durationMs, rate, from } of stages) {
    const inside = Math.min(Math.max(atMs - beginMs, 0), durationMs);
    count += (from * inside + ((rate - from) * inside * inside) / (2 * durationMs)) / 1_000;
    beginMs += durationMs;
  }
  return count;
}

test('the pacer tells every event in order, none before it is due, and then its end', async () => {
  let nowMs = 0;
  const seen: [number, number][] = [];
  await new Promise<void>((resolve) => {
    startPacer({
      clock: {
        now: () => {
          nowMs += 0.05;
          return nowMs;
        },
      },
      dueMs: (index) => (index < 50 ? index * 0.7 : Number.POSITIVE_INFINITY),
      onDue: (index, dueMs) => {
        expect(nowMs).toBeGreaterThanOrEqual(dueMs);
        expect(nowMs - dueMs).toBeLessThan(0.5);
        seen.push([index, dueMs]);
      },
      onEnd: resolve,
    });
  });
  expect(seen.map(([index]) => index)).toEqual(Array.from({ length: 50 }, (_, index) => index));
});

test('outcomes survive the way through a batch', () => {
  const told: unknown[] = [];
  const batches: Float64Array[] = [];
  const sink = batchOutcomes(1_000, (batch) => batches.push(batch));
  sink.answered(1, 3, 200, 77);
  sink.failed(2, 9, 'dropped');
  sink.late(4, 2.5);
  for (let index = 0; index < 4_000; index += 1) sink.failed(index, index + 1, 'cut');
  sink.flush();
  const record = (...row: unknown[]) => void told.push(row);
  for (const batch of batches) {
    replayOutcomes(batch, 1_000, {
      answered: (...row) => record('answered', ...row),
      failed: (...row) => record('failed', ...row),
      late: (...row) => record('late', ...row),
      redirected: () => {},
    });
  }
  expect(told.slice(0, 3)).toEqual([
    ['answered', 1, 3, 200, 77],
    ['failed', 2, 9, 'dropped'],
    ['late', 4, 2.5],
  ]);
  expect(told).toHaveLength(4_003);
  expect(told.at(-1)).toEqual(['failed', 3_999, 4_000, 'cut']);
});
