import { once } from 'node:events';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Outcomes } from './dispatcher.ts';
import type { Measurement } from './measurement.ts';
import { type OpenLoopPlan, runOpenLoop } from './open-loop.ts';
import { replayOutcomes } from './outcome-batch.ts';
import type { ResolvedScenario } from './scenario.ts';
import { arrivalStages } from './scenario.ts';

/** Options of {@link runSharedOpenLoop}. */
export interface SharedOpenLoopOptions {
  readonly scenario: ResolvedScenario;
  readonly measurement: Measurement;
  readonly now: () => number;
  readonly signal: AbortSignal;
}

/** What a worker is started with. */
export interface OpenLoopWorkerData {
  readonly plan: OpenLoopPlan;
  /** Milliseconds since the epoch, since each thread's monotonic clock begins at its own start. */
  readonly beginEpochMs: number;
}

/** Runs an open loop on this thread, or shares it among worker threads while this one only counts. */
export async function runSharedOpenLoop(options: SharedOpenLoopOptions): Promise<void> {
  const { scenario, measurement, now, signal } = options;
  const plan = {
    target: scenario.target,
    requests: scenario.requests,
    stages: arrivalStages(scenario) ?? [],
    timeoutMs: scenario.timeoutMs,
    shares: scenario.workers,
  };
  const { beginMs } = measurement;
  const outcomes: Outcomes = {
    answered: (dueMs, endMs, status, bytes) =>
      measurement.answered(dueMs, endMs - dueMs, endMs, status, bytes),
    failed: (dueMs, endMs, kind) => measurement.failed(dueMs, endMs, kind),
    late: (dueMs, byMs) => measurement.late(dueMs, byMs),
  };
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
        (batch) => {
          replayOutcomes(batch, epochOffsetMs, outcomes);
        },
        signal,
      );
    }),
  );
}

async function runWorker(
  workerData: OpenLoopWorkerData,
  onBatch: (batch: Float64Array) => void,
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
  worker.on('message', onBatch);
  try {
    // Rejects when the worker throws.
    await once(worker, 'exit');
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
