import { parseArgs } from 'node:util';
import { fuzzQueries } from '../test/fuzz/fuzz-queries.ts';

const { values } = parseArgs({
  options: { seed: { type: 'string', default: '7' }, inputs: { type: 'string', default: '1000000' } },
});

const { inputs, evaluated, slowestMs, slowest, crashes } = fuzzQueries(
  Number(values.seed),
  Number(values.inputs),
);
for (const { query, error } of crashes.slice(0, 20)) console.log(JSON.stringify(query), error);
const memory = Math.round(process.memoryUsage().rss / 2 ** 20);
console.log(
  `seed ${values.seed}: ${inputs} inputs, ${evaluated} of them evaluated, ${crashes.length} crashes, ` +
    `slowest ${slowestMs.toFixed(1)} ms, ${memory} MB resident`,
);
console.log(`slowest: ${JSON.stringify(slowest.slice(0, 200))}`);
if (crashes.length > 0 || slowestMs > 100) process.exitCode = 1;
