/**
 * `pnpm prove:bench:culprits [minutes]`: slow code in each of twenty functions, and as many comparisons of a build with itself; about
 * 16 minutes for all, alone on the machine. Resumable; with 0 minutes it only judges what is there.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeEnvironment } from '../src/result/result.ts';
import { judgeCulprits, measureCulprits } from './prove/culprit-data.ts';

const minutes = Number(process.argv[2] ?? 60);
if (!Number.isFinite(minutes) || minutes < 0) {
  console.error(`Expected minutes, got \`${process.argv[2]}\`.`);
  process.exit(64);
}
const rows = await measureCulprits(Date.now() + minutes * 60_000, (line) => console.log(line));
const proof = judgeCulprits(rows);
const directory = join(import.meta.dirname, '../proof');
await mkdir(directory, { recursive: true });
await writeFile(
  join(directory, 'culprits.json'),
  `${JSON.stringify({ environment: await describeEnvironment(), ...proof }, null, 2)}\n`,
);
const { comparisons, ...summary } = proof;
console.table(comparisons);
console.table(summary);
