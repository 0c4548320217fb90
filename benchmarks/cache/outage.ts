import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { startRedis } from '@weir/test-kit';
import type { OutageSample } from './outage-worker.ts';

/** What the heap did while Redis was away. */
export interface Outage {
  readonly durationMs: number;
  readonly operations: number;
  readonly errors: number;
  readonly unhandled: number;
  /** Heap after a full collection every five seconds, in KiB. */
  readonly heapKib: readonly number[];
  /** Slope of the least-squares line through them, without the first minute, in which code is still being compiled, in KiB a minute. */
  readonly slopeKibPerMinute: number;
}

const warmMs = 60_000;

/** Steady load for `durationMs` on a Redis that was frozen, or killed so that connections are refused. */
export async function endure(how: 'frozen' | 'refused', durationMs: number): Promise<Outage> {
  const server = await startRedis();
  const child = fork(join(import.meta.dirname, 'outage-worker.ts'), {
    execArgv: ['--conditions=@weir/source', '--expose-gc'],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const samples: OutageSample[] = [];
  try {
    child.send(server.url);
    await once(child, 'message');
    if (how === 'frozen') server.pause();
    else await server.kill();
    child.on('message', (sample: OutageSample) => samples.push(sample));
    await Promise.race([
      new Promise((resolve) => setTimeout(resolve, durationMs)),
      once(child, 'exit').then(() => {
        throw new Error('the process under outage has ended');
      }),
    ]);
    const last = samples.at(-1);
    return {
      durationMs,
      operations: last?.operations ?? 0,
      errors: last?.errors ?? 0,
      unhandled: last?.unhandled ?? 0,
      heapKib: samples.map((sample) => Math.round(sample.heapBytes / 1024)),
      slopeKibPerMinute: Math.round(slopeOf(samples.filter((sample) => sample.atMs > warmMs))),
    };
  } finally {
    child.kill('SIGKILL');
    await server.stop();
  }
}

function slopeOf(samples: readonly OutageSample[]): number {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const minutes = samples.map((sample) => sample.atMs / 60_000);
  const kib = samples.map((sample) => sample.heapBytes / 1024);
  const [x, y] = [mean(minutes), mean(kib)];
  const covariance = minutes.reduce((sum, minute, index) => sum + (minute - x) * ((kib[index] ?? 0) - y), 0);
  return covariance / minutes.reduce((sum, minute) => sum + (minute - x) ** 2, 0);
}
