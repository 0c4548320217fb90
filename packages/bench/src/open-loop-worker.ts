import { parentPort, workerData } from 'node:worker_threads';
import { runOpenLoop } from './open-loop.ts';
import { batchOutcomes } from './outcome-batch.ts';
import type { OpenLoopWorkerData, WorkerMessage } from './shared-open-loop.ts';

const { plan, beginEpochMs } = workerData as OpenLoopWorkerData;
const port = parentPort;
if (port === null) throw new Error('open-loop-worker runs only as a worker thread.');
const epochOffsetMs = performance.timeOrigin;
const told = new Set<string>();
const outcomes = {
  ...batchOutcomes(epochOffsetMs, (batch) => port.postMessage(batch satisfies WorkerMessage, [batch.buffer])),
  redirected(location: string): void {
    // Bounded: a server may point each answer somewhere else.
    if (told.has(location) || told.size === 100) return;
    told.add(location);
    port.postMessage(location satisfies WorkerMessage);
  },
};
const ticker = setInterval(outcomes.flush, 200);
const stop = new AbortController();
port.once('message', () => stop.abort());
await runOpenLoop(plan, beginEpochMs - epochOffsetMs, outcomes, () => performance.now(), stop.signal);
clearInterval(ticker);
outcomes.flush();
port.close();
