/**
 * `pnpm prove:bench [minutes]`: measures the pairs that are still missing (resumable; about two hours for all, alone on the machine),
 * then judges them as whole comparisons and writes proof/results.json. With 0 minutes it only judges what is there.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeEnvironment } from '../src/result/result.ts';
import { evaluate, evaluateStoredBaseline } from './prove/evaluate.ts';
import { measureRows, wanted } from './prove/pair-data.ts';

const minutes = Number(process.argv[2] ?? 600);
if (!Number.isFinite(minutes) || minutes < 0) {
  console.error(`Expected minutes, got \`${process.argv[2]}\`.`);
  process.exit(64);
}
const rows = await measureRows(Date.now() + minutes * 60_000, (line) => console.log(line));
const resamples = 1_000;
const kinds = wanted.map(({ condition, injected, count }) => {
  const pairs = rows
    .filter((row) => row.condition === condition && row.injected === injected)
    .map((row) => row.sample);
  const unchanged = rows
    .filter((row) => row.condition === condition && row.injected === 0)
    .map((row) => row.sample);
  const stored = [0.05, 0.1, 0.2].map((threshold) => ({
    threshold,
    flagged: pairs.length < 5 ? null : evaluateStoredBaseline(unchanged, pairs, threshold, resamples),
  }));
  return {
    condition,
    injected,
    wanted: count,
    measured: pairs.length,
    ...evaluate(pairs, resamples),
    storedBaseline: stored,
  };
});
const results = {
  environment: await describeEnvironment(),
  complete: kinds.every((kind) => kind.measured >= kind.wanted),
  kinds,
};
await writeFile(join(import.meta.dirname, '../proof/results.json'), `${JSON.stringify(results, null, 2)}\n`);
console.table(
  kinds.map(({ condition, injected, measured, disjoint, resampled }) => ({
    condition,
    'injected %': injected,
    pairs: measured,
    trials: disjoint.trials,
    'slower %': (disjoint.slower * 100).toFixed(1),
    'resampled slower %': (resampled.slower * 100).toFixed(1),
    'faster %': (resampled.faster * 100).toFixed(1),
    'same %': (resampled.same * 100).toFixed(1),
    'inconclusive %': (resampled.inconclusive * 100).toFixed(1),
    'invalid %': (resampled.invalid * 100).toFixed(1),
    'pairs a verdict': resampled.meanPairs.toFixed(1),
  })),
);
