/** `node --conditions=@weir/source packages/bench/scripts/prove-culprits.ts [functions]`: about 17 minutes for all twenty. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeEnvironment } from '../src/environment.ts';
import { proveCulprits } from './prove/culprit-data.ts';

const functions = Number(process.argv[2] ?? 20);
if (!Number.isInteger(functions) || functions < 1 || functions > 20) {
  console.error(`Expected 1 to 20 functions, got \`${process.argv[2]}\`.`);
  process.exit(64);
}
const culprits = await proveCulprits(functions, (line) => console.log(line));
const directory = join(import.meta.dirname, '../proof');
await mkdir(directory, { recursive: true });
await writeFile(
  join(directory, 'culprits.json'),
  `${JSON.stringify({ environment: await describeEnvironment(), ...culprits }, null, 2)}\n`,
);
console.table(culprits);
