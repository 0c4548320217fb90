import { expect, it } from 'vitest';
import { fuzzQueries } from './fuzz/fuzz-queries.ts';

// The long form, a million inputs, is part of `pnpm prove:promql`.
it('ends every mutated query with a result or a PromqlError', () => {
  const { evaluated, crashes } = fuzzQueries(1, 4_000);
  expect(crashes).toEqual([]);
  expect(evaluated).toBeGreaterThan(500);
});
