import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os, { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '@weir/test-kit';
import { runCrashRounds } from '../test/crash/crash-rounds.ts';

// `pnpm prove:service-crash [rounds]`: SIGKILL at random moments under full ingest, 200 times unless told. Writes
// benchmarks/results/service-crash.json when the rounds are 200 or more.

const rounds = Number(process.argv[2] ?? 200);
const directory = mkdtempSync(join(tmpdir(), 'weir-crash-'));
const outcome = await runCrashRounds({
  directory,
  rounds,
  series: 200,
  random: seededRandom(1),
  onRound: (round, steps) => {
    if ((round + 1) % 20 === 0) console.log(`${round + 1} kills, ${steps} acknowledged batches`);
  },
});
rmSync(directory, { recursive: true, force: true });
console.log(JSON.stringify(outcome, null, 2));
if (rounds >= 200) {
  const environment = {
    date: new Date().toISOString(),
    commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: import.meta.dirname })
      .toString()
      .trim(),
    node: process.version,
    cpu: os.cpus()[0]?.model,
    cores: os.cpus().length,
  };
  const path = join(import.meta.dirname, '../../benchmarks/results/service-crash.json');
  writeFileSync(path, `${JSON.stringify({ environment, ...outcome }, null, 2)}\n`);
}
if (outcome.lostSamples + outcome.lostResults + outcome.wrongSamples + outcome.uncleanStarts > 0)
  process.exitCode = 1;
