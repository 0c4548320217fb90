import { once } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { type OpenLoopPlan, runOpenLoop } from './open-loop.ts';
import { batchOutcomes, type WorkerMessage, type WorkerOrder } from './shared-open-loop.ts';

const port = parentPort;
if (port === null) throw new Error('open-loop-worker runs only as a worker thread.');
const send = (message: WorkerMessage, transfer: ArrayBuffer[] = []): void =>
  port.postMessage(message, transfer);
const epochOffsetMs = performance.timeOrigin;
const reported = new Set<string>();
const outcomes = {
  ...batchOutcomes(epochOffsetMs, (batch) => send(batch, [batch.buffer])),
  redirected(location: string): void {
    // Bounded, since a server may redirect each request to another location.
    if (reported.has(location) || reported.size === 100) return;
    reported.add(location);
    send({ location });
  },
};
send('ready');
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
