import { once } from 'node:events';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { countOutcomes, type ReadyLoad } from './load-options.ts';
import { type OpenLoopPlan, runOpenLoop } from './open-loop.ts';
import { replayOutcomes } from './outcome-batch.ts';
import { arrivalStages, type ResolvedScenario } from './scenario.ts';
import type { TlsTrust } from './tls-trust.ts';

/** What a worker is told: to begin, in milliseconds since the epoch, as each thread's monotonic clock begins at its own start; or to stop. */
export type WorkerOrder = number | 'stop';

/** Once that it can begin, then batches of outcomes, and where answers pointed. */
export type WorkerMessage = 'ready' | Float64Array | { readonly location: string };

/**
 * Prepares an open loop on this thread, or one that worker threads share while this one only counts. Workers have started when it
 * resolves: a thread that starts while requests are due sends its share of them late.
 */
export async function prepareOpenLoop(
  scenario: ResolvedScenario,
  trust: TlsTrust | undefined,
  signal: AbortSignal,
): Promise<ReadyLoad> {
  const plan = {
    target: scenario.target,
    requests: scenario.requests,
    stages: arrivalStages(scenario) ?? [],
    timeoutMs: scenario.timeoutMs,
    shares: scenario.workers,
    ...(trust === undefined ? {} : { trust }),
  };
  if (scenario.workers === 1) {
    const whole = { ...plan, maxConnections: scenario.connections, share: 0 };
    return (options) =>
      runOpenLoop(whole, options.measurement.beginMs, countOutcomes(options), options.now, options.signal);
  }
  const maxConnections = Math.max(1, Math.floor(scenario.connections / scenario.workers));
  const workers = Array.from({ length: scenario.workers }, (_, share) =>
    startWorker({ ...plan, maxConnections, share }),
  );
  try {
    // Rejects when a worker throws.
    await Promise.all(workers.map((worker) => once(worker, 'message', { signal })));
  } catch (error) {
    await Promise.all(workers.map((worker) => worker.terminate()));
    if (!signal.aborted) throw error;
  }
  return async (options) => {
    const { measurement, now, redirected } = options;
    const outcomes = countOutcomes(options);
    const epochOffsetMs = performance.timeOrigin + performance.now() - now();
    const onMessage = (message: WorkerMessage): void => {
      if (message instanceof Float64Array) replayOutcomes(message, epochOffsetMs, outcomes);
      else if (message !== 'ready') redirected(message.location);
    };
    const beginEpochMs = measurement.beginMs + epochOffsetMs;
    await Promise.all(workers.map((worker) => runWorker(worker, beginEpochMs, onMessage, options.signal)));
  };
}

function startWorker(workerData: OpenLoopPlan): Worker {
  return new Worker(new URL(`./open-loop-worker${extname(import.meta.url)}`, import.meta.url), {
    workerData,
  });
}

async function runWorker(
  worker: Worker,
  beginEpochMs: number,
  onMessage: (message: WorkerMessage) => void,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) {
    await worker.terminate();
    return;
  }
  const stop = (): void => worker.postMessage('stop' satisfies WorkerOrder);
  signal.addEventListener('abort', stop, { once: true });
  worker.on('message', onMessage);
  worker.postMessage(beginEpochMs satisfies WorkerOrder);
  try {
    // Rejects when the worker throws.
    await once(worker, 'exit');
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
