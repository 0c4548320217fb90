import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createMatcher } from '@weir/promql';
import { RunStore } from '../../src/benchmarks/run-store.ts';
import { MetricStore } from '../../src/store/metric-store.ts';
import { crashLayout, expectedValue, resultEvery, stepMs } from './crash-layout.ts';

export interface CrashRoundsOptions {
  readonly directory: string;
  readonly rounds: number;
  readonly series: number;
  /** In [0, 1); decides when to kill. */
  readonly random: () => number;
  readonly onRound?: (round: number, acknowledged: number) => void;
}

export interface CrashOutcome {
  readonly rounds: number;
  readonly acknowledgedBatches: number;
  readonly acknowledgedSamples: number;
  readonly lostSamples: number;
  readonly lostResults: number;
  readonly wrongSamples: number;
  readonly uncleanStarts: number;
}

/** Kills an ingesting process at random moments, round after round on one file, and compares what the file then holds. */
export async function runCrashRounds(options: CrashRoundsOptions): Promise<CrashOutcome> {
  const { directory, rounds, series, random } = options;
  const path = join(directory, 'metrics.db');
  const outcome = { lostSamples: 0, lostResults: 0, wrongSamples: 0, uncleanStarts: 0 };
  let next = 0;
  let results = 0;
  let checkedFrom = 0;
  for (let round = 0; round < rounds; round++) {
    const acknowledged = await ingestUntilKilled(directory, next, series, 20 + random() * 380);
    // Every tenth round everything so far is compared, else what came since the last time.
    const isFull = round % 10 === 9 || round === rounds - 1;
    results += Math.floor(acknowledged / resultEvery) - Math.floor((next - 1) / resultEvery);
    outcome.lostResults += countLostResults(directory, results);
    const found = compare(path, isFull ? 0 : checkedFrom, acknowledged, series, outcome);
    checkedFrom = Math.max(0, acknowledged - 100);
    next = Math.max(found, acknowledged) + 1;
    options.onRound?.(round, acknowledged + 1);
  }
  return { rounds, acknowledgedBatches: next, acknowledgedSamples: next * series, ...outcome };
}

async function ingestUntilKilled(
  directory: string,
  first: number,
  series: number,
  afterMs: number,
): Promise<number> {
  const child = spawn(
    process.execPath,
    [
      '--conditions=@weir/source',
      join(import.meta.dirname, 'ingest-child.ts'),
      directory,
      String(first),
      String(series),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let output = '';
  const kill = (): void => void setTimeout(() => child.kill('SIGKILL'), afterMs);
  child.stdout.once('data', kill);
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    output = (output + part).slice(-200);
  });
  await once(child, 'close');
  const lines = output.split('\n');
  return Number(lines.at(-2) ?? first - 1);
}

/** Of the finished runs that the child acknowledged, how many are not finished in the history. */
function countLostResults(directory: string, acknowledged: number): number {
  const runs = new RunStore(join(directory, 'benchmarks.db'), Date.now);
  const finished = runs.counts('crash').find(({ status }) => status === 'finished')?.count ?? 0;
  const unclean = runs.setAside === undefined ? 0 : 1;
  runs.close();
  return Math.max(0, acknowledged - finished) + unclean;
}

/** Returns the newest step found. */
function compare(
  path: string,
  fromStep: number,
  toStep: number,
  series: number,
  outcome: { lostSamples: number; wrongSamples: number; uncleanStarts: number },
): number {
  const store = new MetricStore({ ...crashLayout, path, now: () => stepMs(toStep) });
  if (store.setAside !== undefined) outcome.uncleanStarts++;
  const found = store.select(
    [createMatcher('__name__', '=', 'crash')],
    stepMs(fromStep),
    stepMs(toStep + 10),
  );
  let newest = -1;
  outcome.lostSamples += Math.max(0, series - found.length) * (toStep - fromStep + 1);
  for (const { labels, timestamps, values } of found) {
    const held = new Map([...timestamps].map((time, at) => [time, values[at]]));
    for (let step = fromStep; step <= toStep; step++) {
      const value = held.get(stepMs(step));
      if (value === undefined) outcome.lostSamples++;
      else if (value !== expectedValue(Number(labels.get('i')), step)) outcome.wrongSamples++;
    }
    newest = Math.max(newest, Math.round(((timestamps.at(-1) ?? 0) - stepMs(0)) / 1_000));
  }
  store.close();
  return newest;
}
