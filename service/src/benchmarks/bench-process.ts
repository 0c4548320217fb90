import { type BenchmarkProgress, type BenchmarkResult, loadScenario, runBenchmark } from '@weir/bench';
import { messageOf } from '../errors.ts';
import { assertWithinLimits, type LoadLimits, pinLookups, resolveAllowed } from './load-policy.ts';

// The process that generates load: one scenario, then it ends. Without its parent it stops at once.

/** What the parent sends once. */
export interface BenchRequest {
  readonly file: string;
  readonly limits: LoadLimits;
}

export type BenchMessage =
  | { readonly type: 'progress'; readonly progress: BenchmarkProgress }
  | { readonly type: 'result'; readonly result: BenchmarkResult }
  | { readonly type: 'error'; readonly message: string };

const abort = new AbortController();
const send = (message: BenchMessage): void => {
  if (process.connected) process.send?.(message);
};

process.on('disconnect', () => process.exit(1));
// Ctrl-C reaches the whole process group; the parent decides when this one ends.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => abort.abort());
process.on('message', (message: BenchRequest | 'cancel') => {
  if (message === 'cancel') abort.abort();
  else void run(message);
});

async function run({ file, limits }: BenchRequest): Promise<void> {
  try {
    const scenario = await loadScenario(file);
    assertWithinLimits(scenario, limits);
    const { host, port, addresses } = await resolveAllowed(scenario.target, limits.allow);
    pinLookups(host, addresses);
    const result = await runBenchmark(scenario, {
      signal: abort.signal,
      allowTargets: [host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`],
      onProgress: (progress) => send({ type: 'progress', progress }),
    });
    send({ type: 'result', result });
  } catch (thrown) {
    send({ type: 'error', message: messageOf(thrown) });
  }
  process.disconnect();
}
