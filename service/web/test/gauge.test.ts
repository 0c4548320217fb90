import { expect, test } from 'vitest';
import { gaugeArcs } from '../src/model/display.ts';

const steps = [
  { value: null, color: 'green' },
  { value: 0.8, color: 'red' },
];

test('a dial reaches half its arc at half of its range, straight up', () => {
  const { needle } = gaugeArcs({ unit: 'percentunit' }, 0.5);
  expect(needle).toMatch(/100\.00 22\.00$/);
});

test('a dial has a band for each threshold, from one to the next', () => {
  const { bands } = gaugeArcs({ unit: 'percentunit', thresholds: { mode: 'absolute', steps } }, 0.9);
  expect(bands.map(({ color }) => color)).toEqual(['green', 'red']);
});

test.each([[null], [0], [-5]])('a dial at %s shows no stretch', (value) => {
  expect(gaugeArcs({ min: 0, max: 10 }, value).needle).toBeUndefined();
});

test('a value beyond the range fills the dial and no more', () => {
  expect(gaugeArcs({ max: 10 }, 25).needle).toBe(gaugeArcs({ max: 10 }, 10).track);
});
