import { once } from 'node:events';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { FailureKind } from '../result/result.ts';
import type { ResolvedScenario } from '../scenario/scenario.ts';
import type { TlsTrust } from '../scenario/target.ts';
import { countOutcomes, type Outcomes, type ReadyLoad } from './measurement.ts';
import { arrivalStages, type OpenLoopPlan, runOpenLoop } from './open-loop.ts';

/** A message to a worker: when to begin, in milliseconds since the epoch, since the monotonic clocks of threads differ; or to stop. */
export type WorkerOrder = number | 'stop';

/** Messages of a worker: first `ready`, then batches of outcomes and locations of redirects. */
export type WorkerMessage = 'ready' | Float64Array | { readonly location: string };

/**
 * Prepares an open loop on this thread, or on worker threads whose outcomes this thread counts. The workers have started when it
 * resolves, since a thread that starts while requests are due sends its share late.
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
      runOpenLoop(whole, options.measurement.beginMs, countOutcomes(options), options.clock, options.signal);
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
    const { measurement, clock, redirected } = options;
    const outcomes = countOutcomes(options);
    const epochOffsetMs = performance.timeOrigin + performance.now() - clock.now();
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

/**
 * Outcomes as numbers, so that a worker transfers them without copying. Each row has five: kind, due and end in
 * milliseconds since the epoch, status, bytes. Kind 0 is an answer, 1 a late begin (the end is the begin), others are failures.
 */
const kinds: readonly FailureKind[] = ['timeout', 'cut', 'refused', 'malformed', 'dropped', 'unsent'];

const width = 5;
const rows = 2_000;

/** Collects outcomes and sends them when a batch is full, or on `flush`. */
export function batchOutcomes(
  epochOffsetMs: number,
  send: (batch: Float64Array<ArrayBuffer>) => void,
): Omit<Outcomes, 'redirected'> & { flush(): void } {
  let batch = new Float64Array(rows * width);
  let used = 0;
  const flush = (): void => {
    if (used === 0) return;
    send(batch.slice(0, used));
    used = 0;
  };
  const add = (kind: number, dueMs: number, endMs: number, status: number, bytes: number): void => {
    batch[used] = kind;
    batch[used + 1] = dueMs + epochOffsetMs;
    batch[used + 2] = endMs + epochOffsetMs;
    batch[used + 3] = status;
    batch[used + 4] = bytes;
    used += width;
    if (used < batch.length) return;
    send(batch);
    batch = new Float64Array(rows * width);
    used = 0;
  };
  return {
    answered: (dueMs, endMs, status, bytes) => add(0, dueMs, endMs, status, bytes),
    late: (dueMs, byMs) => add(1, dueMs, dueMs + byMs, 0, 0),
    failed: (dueMs, endMs, kind) => add(2 + kinds.indexOf(kind), dueMs, endMs, 0, 0),
    flush,
  };
}

/** Reports the outcomes of a batch in their order. `epochOffsetMs` is the offset of the reader's clock. */
export function replayOutcomes(batch: Float64Array, epochOffsetMs: number, outcomes: Outcomes): void {
  for (let row = 0; row + width <= batch.length; row += width) {
    const [kind = 0, due = 0, end = 0, status = 0, bytes = 0] = batch.subarray(row, row + width);
    const dueMs = due - epochOffsetMs;
    const endMs = end - epochOffsetMs;
    if (kind === 0) outcomes.answered(dueMs, endMs, status, bytes);
    else if (kind === 1) outcomes.late(dueMs, endMs - dueMs);
    else outcomes.failed(dueMs, endMs, kinds[kind - 2] ?? 'cut');
  }
}
