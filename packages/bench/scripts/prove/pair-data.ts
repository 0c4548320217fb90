import { type ChildProcess, spawn } from 'node:child_process';
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { duetDefaults } from '../../src/compare/compare-builds.ts';
import { planPinning } from '../../src/compare/duet-plan.ts';
import { type Arm, measurePair } from '../../src/compare/measure-pair.ts';
import { type PairSample, parseScenario } from '../../src/index.ts';
import { mulberry32 } from '../../src/stats/sign-flip.ts';

/** A row of the proof's data. */
export interface PairRow {
  readonly condition: 'quiet' | 'hog';
  /** Injected processor time, in percent of what a request takes under this condition. */
  readonly injected: 0 | 5 | 10;
  readonly sample: PairSample;
}

type Calibrations = Partial<
  Record<PairRow['condition'], { stepsPerPercent: number; ratios: number[]; steps: number }>
>;

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
  { condition: 'hog', injected: 5, count: 225 },
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
  const burnOf = {
    quiet: await calibrate('quiet', log),
    hog: await calibrate('hog', log),
  };
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
    const { condition, injected } = kind;
    const sample = await measure(condition, burnOf[condition](injected), random);
    const row: PairRow = { condition, injected, sample };
    rows.push(row);
    await appendFile(dataFile, `${JSON.stringify(row)}\n`);
    log(`${rows.length} pairs, ${missing.length - 1} to go`);
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

async function measure(
  condition: PairRow['condition'],
  burn: number,
  random: () => number,
): Promise<PairSample> {
  const hog = condition === 'hog' ? startHog() : undefined;
  try {
    return await measurePair({
      base: arm(0),
      head: arm(burn),
      scenario,
      design: 'duet',
      pinning: planPinning('duet'),
      random,
    });
  } finally {
    hog?.kill('SIGKILL');
  }
}

/** How many steps are one percent of a request's processor time under a condition; measured once and kept with the data. */
async function calibrate(
  condition: PairRow['condition'],
  log: (line: string) => void,
): Promise<(percent: number) => number> {
  const kept = JSON.parse(await readFile(calibrationFile, 'utf8').catch(() => '{}')) as Calibrations;
  let calibration = kept[condition];
  if (calibration === undefined) {
    // About the size of what is injected: a build that is several times slower gets its requests in other batches, and each costs otherwise.
    const steps = 4_000;
    const ratios: number[] = [];
    for (let round = 0; round < 21; round += 1) {
      const { base, head } = await measure(condition, steps, Math.random);
      ratios.push((head.cpuUs ?? 0) / (base.cpuUs ?? 1) - 1);
    }
    const middle = ratios.toSorted((a, b) => a - b)[ratios.length >> 1] ?? 1;
    calibration = { stepsPerPercent: Math.round(steps / (middle * 100)), ratios, steps };
    await writeFile(calibrationFile, `${JSON.stringify({ ...kept, [condition]: calibration }, null, 2)}\n`);
  }
  const { stepsPerPercent } = calibration;
  log(`${condition}: one percent of a request is ${stepsPerPercent} steps`);
  return (percent) => percent * stepsPerPercent;
}

/** A process that wants a whole processor, wherever the kernel puts it, until it is killed or whoever started it is gone. */
function startHog(): ChildProcess {
  const script =
    'const parent = process.ppid; for (;;) { const until = Date.now() + 100; while (Date.now() < until); if (process.ppid !== parent) break; }';
  return spawn(process.execPath, ['-e', script], { stdio: 'ignore' });
}
