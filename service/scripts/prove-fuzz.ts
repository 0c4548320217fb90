import { seededRandom } from '@weir/test-kit';
import { fuzzParsers } from '../test/fuzz/fuzz-parsers.ts';

// `pnpm prove:service-fuzz [inputs] [seed]`: a million inputs over all parsers unless told.

const inputs = Number(process.argv[2] ?? 1_000_000);
const seed = Number(process.argv[3] ?? 1);
const rounds = 10;
const parsers = 13;
let done = 0;
let worstMs = 0;
let failed = false;
const random = seededRandom(seed);
for (let round = 0; round < rounds; round++) {
  const outcome = fuzzParsers(Math.ceil(inputs / rounds / parsers), random);
  done += outcome.inputs;
  worstMs = Math.max(worstMs, outcome.slowestMs);
  for (const line of [...outcome.crashes, ...outcome.stalls]) console.log(line);
  failed ||= outcome.crashes.length + outcome.stalls.length > 0;
  const { heapUsed, rss } = process.memoryUsage();
  console.log(
    `${done} inputs, slowest ${worstMs.toFixed(1)} ms, heap ${(heapUsed / 1e6).toFixed(0)} MB, resident ${(rss / 1e6).toFixed(0)} MB`,
  );
}
if (failed) process.exitCode = 1;
