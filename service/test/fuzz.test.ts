import { seededRandom } from '@weir/test-kit';
import { expect, test } from 'vitest';
import { fuzzParsers } from './fuzz/fuzz-parsers.ts';

test('mutated and random inputs are read or refused by every parser, without a crash or a stall', () => {
  const { inputs, crashes, stalls } = fuzzParsers(1_500, seededRandom(5));
  expect(inputs).toBeGreaterThan(10_000);
  expect(crashes).toEqual([]);
  expect(stalls).toEqual([]);
});
