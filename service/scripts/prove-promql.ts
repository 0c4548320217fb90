import { parseArgs } from 'node:util';
import { ensureServers } from '@weir/test-kit';
import { compareEngines } from '../../packages/promql/test/agreement/compare-engines.ts';
import { shopData } from './shop-data.ts';

const { values } = parseArgs({
  options: { seed: { type: 'string', default: '42' }, queries: { type: 'string', default: '500' } },
});

await ensureServers(['prometheus'], { log: console.log });
for (const [over, data] of [
  ['random data', undefined],
  ['the live shop', await shopData()],
] as const) {
  const outcome = await compareEngines(Number(values.seed), Number(values.queries), data);
  const { queries, values: compared, errors, empty, differences } = outcome;
  for (const { query, why } of differences) console.log(`${query}\n    ${why}`);
  console.log(
    `over ${over}, seed ${values.seed}: ${queries} queries, ${queries - differences.length} agree to 1e-9 ` +
      `(${compared} values; ${empty} answers empty, ${errors} refused by both), ${differences.length} differ`,
  );
  if (differences.length > 0) process.exitCode = 1;
}
