import { parentPort, workerData } from 'node:worker_threads';
import { runOpenLoop } from './open-loop.ts';
import { batchOutcomes } from './outcome-batch.ts';
import type { OpenLoopWorkerData } from './shared-open-loop.ts';

const { plan, beginEpochMs } = workerData as OpenLoopWorkerData;
const port = parentPort;
if (port === null) throw new Error('open-loop-worker runs only as a worker thread.');
const epochOffsetMs = performance.timeOrigin;
const outcomes = batchOutcomes(epochOffsetMs, (batch) => port.postMessage(batch, [batch.buffer]));
const ticker = setInterval(outcomes.flush, 200);
const stop = new AbortController();
port.once('message', () => stop.abort());
await runOpenLoop(plan, beginEpochMs - epochOffsetMs, outcomes, () => performance.now(), stop.signal);
clearInterval(ticker);
outcomes.flush();
port.close();
