import { parseArgs } from 'node:util';
import { compareEngines } from './compare-engines.ts';

const { values } = parseArgs({
  options: { seed: { type: 'string', default: '42' }, queries: { type: 'string', default: '500' } },
});

const {
  queries,
  values: compared,
  errors,
  empty,
  differences,
} = await compareEngines(Number(values.seed), Number(values.queries));
for (const { query, why } of differences) console.log(`${query}\n    ${why}`);
console.log(
  `seed ${values.seed}: ${queries} queries, ${queries - differences.length} agree to 1e-9 ` +
    `(${compared} values; ${empty} answers empty, ${errors} refused by both), ${differences.length} differ`,
);
if (differences.length > 0) process.exitCode = 1;
