import { once } from 'node:events';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { countOutcomes, type LoadOptions } from './load-options.ts';
import { type OpenLoopPlan, runOpenLoop } from './open-loop.ts';
import { replayOutcomes } from './outcome-batch.ts';
import { arrivalStages } from './scenario.ts';

/** What a worker is started with. */
export interface OpenLoopWorkerData {
  readonly plan: OpenLoopPlan;
  /** Milliseconds since the epoch, since each thread's monotonic clock begins at its own start. */
  readonly beginEpochMs: number;
}

/** A batch of outcomes, or where an answer pointed. */
export type WorkerMessage = Float64Array | string;

/** Runs an open loop on this thread, or shares it among worker threads while this one only counts. */
export async function runSharedOpenLoop(options: LoadOptions): Promise<void> {
  const { scenario, trust, measurement, now, signal, redirected } = options;
  const plan = {
    target: scenario.target,
    requests: scenario.requests,
    stages: arrivalStages(scenario) ?? [],
    timeoutMs: scenario.timeoutMs,
    shares: scenario.workers,
    ...(trust === undefined ? {} : { trust }),
  };
  const { beginMs } = measurement;
  const outcomes = countOutcomes(options);
  if (scenario.workers === 1) {
    await runOpenLoop(
      { ...plan, maxConnections: scenario.connections, share: 0 },
      beginMs,
      outcomes,
      now,
      signal,
    );
    return;
  }
  const epochOffsetMs = performance.timeOrigin + performance.now() - now();
  await Promise.all(
    Array.from({ length: scenario.workers }, (_, share) => {
      const maxConnections = Math.max(1, Math.floor(scenario.connections / scenario.workers));
      return runWorker(
        { plan: { ...plan, maxConnections, share }, beginEpochMs: beginMs + epochOffsetMs },
        (message) => {
          if (typeof message === 'string') redirected(message);
          else replayOutcomes(message, epochOffsetMs, outcomes);
        },
        signal,
      );
    }),
  );
}

async function runWorker(
  workerData: OpenLoopWorkerData,
  onMessage: (message: WorkerMessage) => void,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) return;
  const worker = new Worker(new URL(`./open-loop-worker${extname(import.meta.url)}`, import.meta.url), {
    workerData,
  });
  const stop = (): void => {
    worker.postMessage('stop');
  };
  signal.addEventListener('abort', stop, { once: true });
  worker.on('message', onMessage);
  try {
    // Rejects when the worker throws.
    await once(worker, 'exit');
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
