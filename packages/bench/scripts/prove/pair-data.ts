import { type ChildProcess, spawn } from 'node:child_process';
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { duetDefaults } from '../../src/compare/compare-builds.ts';
import { type Arm, measurePair } from '../../src/compare/measure-pair.ts';
import type { PairSample } from '../../src/index.ts';
import { parseScenario } from '../../src/index.ts';
import { planPinning } from '../../src/process/cpu-pinning.ts';
import { mulberry32 } from '../../src/stats/mulberry32.ts';

/** A row of the proof's data. */
export interface PairRow {
  readonly condition: 'quiet' | 'hog';
  /** Injected processor time, in percent of a request's. */
  readonly injected: 0 | 5 | 10;
  readonly sample: PairSample;
}

/** How many pairs the proof wants of each kind. */
export const wanted: readonly {
  readonly condition: PairRow['condition'];
  readonly injected: PairRow['injected'];
  readonly count: number;
}[] = [
  { condition: 'quiet', injected: 0, count: 300 },
  { condition: 'quiet', injected: 5, count: 150 },
  { condition: 'quiet', injected: 10, count: 150 },
  { condition: 'hog', injected: 0, count: 150 },
  { condition: 'hog', injected: 5, count: 75 },
  { condition: 'hog', injected: 10, count: 75 },
];

const proof = join(import.meta.dirname, '../../proof');
const dataFile = join(proof, 'pairs.jsonl');
const calibrationFile = join(proof, 'calibration.json');
const scenario = parseScenario({
  name: 'proof',
  target: 'http://127.0.0.1:1',
  requests: [{ path: '/' }],
  ...duetDefaults,
});

/** Rows measured so far; a line that was cut off is left out. */
export async function readRows(): Promise<PairRow[]> {
  const text = await readFile(dataFile, 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => {
    try {
      return [JSON.parse(line) as PairRow];
    } catch {
      return [];
    }
  });
}

/** Measures until every kind has its count, the kinds mixed at random, so that a slow hour weighs on all alike. Ends early at `deadline`. */
export async function measureRows(deadline: number, log: (line: string) => void): Promise<PairRow[]> {
  await mkdir(proof, { recursive: true });
  const rows = await readRows();
  const burnOf = await calibrate(log);
  const random = mulberry32(rows.length + 1);
  for (;;) {
    const missing = wanted.flatMap((kind) => {
      const have = rows.filter(
        (row) => row.condition === kind.condition && row.injected === kind.injected,
      ).length;
      return Array.from({ length: Math.max(kind.count - have, 0) }, () => kind);
    });
    const kind = missing[Math.floor(random() * missing.length)];
    if (kind === undefined || Date.now() > deadline) return rows;
    const hog = kind.condition === 'hog' ? startHog() : undefined;
    try {
      const sample = await measure(0, burnOf(kind.injected), random);
      const row: PairRow = { condition: kind.condition, injected: kind.injected, sample };
      rows.push(row);
      await appendFile(dataFile, `${JSON.stringify(row)}\n`);
      log(`${rows.length} pairs, ${missing.length - 1} to go`);
    } finally {
      hog?.kill('SIGKILL');
    }
  }
}

function arm(burn: number): Arm {
  const script = join(import.meta.dirname, 'server.ts');
  const command = `BURN=${burn} exec "${process.execPath}" "${script}"`;
  return {
    directory: import.meta.dirname,
    start: { command, ready: '/', readyTimeoutMs: 30_000 },
    label: String(burn),
  };
}

function measure(base: number, head: number, random: () => number): Promise<PairSample> {
  return measurePair({
    base: arm(base),
    head: arm(head),
    scenario,
    design: 'duet',
    pinning: planPinning('duet'),
    random,
  });
}

/** How many steps are one percent of a request's processor time here; measured once and kept with the data. */
async function calibrate(log: (line: string) => void): Promise<(percent: number) => number> {
  const kept = await readFile(calibrationFile, 'utf8').catch(() => undefined);
  let stepsPerPercent =
    kept === undefined ? undefined : (JSON.parse(kept) as { stepsPerPercent: number }).stepsPerPercent;
  if (stepsPerPercent === undefined) {
    // About the size of what is injected: a build that is several times slower gets its requests in other batches, and each costs otherwise.
    const steps = 4_000;
    const ratios: number[] = [];
    for (let round = 0; round < 21; round += 1) {
      const { base, head } = await measure(0, steps, Math.random);
      ratios.push((head.cpuUs ?? 0) / (base.cpuUs ?? 1) - 1);
    }
    const middle = ratios.toSorted((a, b) => a - b)[ratios.length >> 1] ?? 1;
    stepsPerPercent = Math.round(steps / (middle * 100));
    await writeFile(calibrationFile, `${JSON.stringify({ stepsPerPercent, ratios, steps }, null, 2)}\n`);
  }
  log(`one percent of a request is ${stepsPerPercent} steps`);
  const perPercent = stepsPerPercent;
  return (percent) => percent * perPercent;
}

/** A process that wants a whole processor, wherever the kernel puts it. */
function startHog(): ChildProcess {
  return spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' });
}
