import { type ChildProcess, spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { startRedis } from '@weir/test-kit';
import { answerOf, startWorker } from './race.ts';
import type { HerdResult } from './race-worker.ts';

/** What several stampedes of 8 processes × 500 callers on one key each came to. */
export interface Herds {
  readonly rounds: number;
  /** Loads of each round, over all processes. */
  readonly loads: readonly number[];
  /** Rounds in which a process counted a Redis operation past its deadline, and then loaded by itself as it must. */
  readonly roundsPastDeadline: number;
  /** Most loads beyond one in a round, less the processes that passed their deadline in it; never above 0. */
  readonly unexplained: number;
}

/**
 * Processes connect and read once before the clock starts: a process that is still starting is no reader yet. While
 * `hogs` is on, twice as many endless loops as there are cores fight with them for the processor.
 */
export async function herd(options: {
  readonly processes: number;
  readonly rounds: number;
  readonly deadlineMs: number;
  readonly hogs: boolean;
}): Promise<Herds> {
  const { deadlineMs, processes, rounds } = options;
  const server = await startRedis();
  const job = { kind: 'herd', cacheUrl: server.url, deadlineMs } as const;
  const children = Array.from({ length: processes }, () => startWorker(job));
  const hogs: ChildProcess[] = [];
  try {
    await Promise.all(children.map((child) => answerOf(child)));
    for (let index = 0; options.hogs && index < availableParallelism() * 2; index += 1) {
      hogs.push(spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }));
    }
    const loads: number[] = [];
    let roundsPastDeadline = 0;
    let unexplained = 0;
    for (let round = 0; round < rounds; round += 1) {
      const answers = children.map((child) => answerOf<HerdResult>(child));
      for (const child of children) child.send(`k${round}`);
      const results = await Promise.all(answers);
      const sum = results.reduce((total, one) => total + one.loads, 0);
      const late = results.filter((one) => one.redisErrors > 0).length;
      loads.push(sum);
      if (late > 0) roundsPastDeadline += 1;
      unexplained = Math.max(unexplained, sum - 1 - late);
    }
    return { rounds, loads, roundsPastDeadline, unexplained };
  } finally {
    for (const hog of hogs) hog.kill('SIGKILL');
    for (const child of children) if (child.connected) child.disconnect();
    await server.stop();
  }
}
