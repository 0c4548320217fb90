import { createManualClock, seededRandom } from '@weir/test-kit';
import fc from 'fast-check';
import { expect, test } from 'vitest';

test('seededRandom repeats itself for a seed and stays in [0, 1)', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const [one, two] = [seededRandom(seed), seededRandom(seed)];
      for (let index = 0; index < 50; index += 1) {
        const value = one();
        expect(value).toBe(two());
        expect(value >= 0 && value < 1).toBe(true);
      }
    }),
  );
});

test('seededRandom spreads evenly over ten bins', () => {
  const random = seededRandom(1);
  const bins = new Array<number>(10).fill(0);
  for (let index = 0; index < 100_000; index += 1) {
    const bin = Math.floor(random() * 10);
    bins[bin] = (bins[bin] ?? 0) + 1;
  }
  for (const count of bins) expect(Math.abs(count - 10_000)).toBeLessThan(500);
});

test('a manual clock fires timers in due order, each at its own due time, and none twice', () => {
  const clock = createManualClock(1000);
  const fired: [string, number][] = [];
  clock.setTimeout(() => fired.push(['b', clock.now()]), 20);
  clock.setTimeout(() => {
    fired.push(['a', clock.now()]);
    clock.setTimeout(() => fired.push(['nested', clock.now()]), 5);
  }, 10);
  const cancel = clock.setTimeout(() => fired.push(['never', clock.now()]), 15);
  cancel();
  clock.advance(30);
  expect(fired).toEqual([
    ['a', 1010],
    ['nested', 1015],
    ['b', 1020],
  ]);
  expect([clock.now(), clock.pending]).toEqual([1030, 0]);
});

test('a manual clock refuses to advance backwards but can be set back without firing', () => {
  const clock = createManualClock(100);
  let fired = 0;
  clock.setTimeout(() => {
    fired += 1;
  }, 10);
  expect(() => clock.advance(-1)).toThrow(RangeError);
  clock.set(0);
  expect([clock.now(), fired]).toEqual([0, 0]);
});

test('advanceAsync runs sleeps that follow one another through promises', async () => {
  const clock = createManualClock();
  const seen: number[] = [];
  const work = (async () => {
    for (let index = 0; index < 3; index += 1) {
      await clock.sleep(10);
      seen.push(clock.now());
    }
  })();
  await clock.advanceAsync(30);
  await work;
  expect(seen).toEqual([10, 20, 30]);
});
