import { once } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { type OpenLoopPlan, runOpenLoop } from './open-loop.ts';
import { batchOutcomes, type WorkerMessage, type WorkerOrder } from './shared-open-loop.ts';

const port = parentPort;
if (port === null) throw new Error('open-loop-worker runs only as a worker thread.');
const tell = (message: WorkerMessage, transfer: ArrayBuffer[] = []): void =>
  port.postMessage(message, transfer);
const epochOffsetMs = performance.timeOrigin;
const told = new Set<string>();
const outcomes = {
  ...batchOutcomes(epochOffsetMs, (batch) => tell(batch, [batch.buffer])),
  redirected(location: string): void {
    // Bounded: a server may point each answer somewhere else.
    if (told.has(location) || told.size === 100) return;
    told.add(location);
    tell({ location });
  },
};
tell('ready');
const [order] = (await once(port, 'message')) as [WorkerOrder];
if (order !== 'stop') {
  const ticker = setInterval(outcomes.flush, 200);
  const stop = new AbortController();
  port.once('message', () => stop.abort());
  const plan = workerData as OpenLoopPlan;
  await runOpenLoop(plan, order - epochOffsetMs, outcomes, performance, stop.signal);
  clearInterval(ticker);
  outcomes.flush();
}
port.close();
