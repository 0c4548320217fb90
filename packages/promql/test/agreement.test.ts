import { expect, it } from 'vitest';
import { compareEngines } from './agreement/compare-engines.ts';

// The long form is `pnpm prove:promql`.
it('agrees with a real Prometheus to 1e-9 on generated queries over the same samples', async () => {
  const { queries, values, differences } = await compareEngines(20_231_114, 120);
  expect(differences).toEqual([]);
  expect(queries).toBe(120);
  expect(values).toBeGreaterThan(1_000);
});
