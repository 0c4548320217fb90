import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../errors.ts';
import { MetricStore } from '../store/metric-store.ts';
import { type EngineOptions, type EngineReply, type EngineRequest, toWire } from './engine-protocol.ts';
import { type AttachReader, serveSelects } from './remote-select.ts';
import { StoreMethods } from './store-methods.ts';

// The entry of the store's thread. It handles one message at a time; maintenance and the slices of queries' reads run between messages.

const maintenanceMs = 5_000;
const port = parentPort;
if (port === null) throw new Error('This module runs as a worker thread only.');
const options = workerData as EngineOptions;

const post = (reply: EngineReply, transfer: ArrayBuffer[] = []): void => port.postMessage(reply, transfer);

try {
  const store = new MetricStore({ ...options.store, now: Date.now });
  const methods = new StoreMethods(store, options);
  let isMaintenanceQueued = false;
  const maintain = (): void => {
    isMaintenanceQueued = false;
    let isMoreDue = false;
    try {
      isMoreDue = store.maintain();
    } catch (thrown) {
      store.failure = messageOf(thrown);
    }
    if (isMoreDue) queueMaintenance();
  };
  const queueMaintenance = (): void => {
    if (isMaintenanceQueued) return;
    isMaintenanceQueued = true;
    setImmediate(maintain);
  };
  const timer = setInterval(queueMaintenance, maintenanceMs);
  const readers: AttachReader[] = [];
  port.on('message', (request: EngineRequest | AttachReader | 'close') => {
    if (request === 'close') {
      clearInterval(timer);
      for (const reader of readers) reader.port.close();
      store.close();
      port.close();
      return;
    }
    if ('type' in request) {
      readers.push(request);
      request.port.on('close', () => readers.splice(readers.indexOf(request), 1));
      serveSelects(store, request);
      return;
    }
    const { id, method, argument } = request;
    try {
      const result = (methods[method] as (argument: unknown) => unknown).call(methods, argument);
      post({ type: 'result', id, result }, transferable(result));
    } catch (thrown) {
      post({ type: 'error', id, error: toWire(thrown) });
    }
  });
  const { setAside, lostCommits, damagedBatches } = store;
  post({ type: 'ready', ready: { setAside, lostCommits, damagedBatches } });
  queueMaintenance();
} catch (thrown) {
  post({ type: 'failed', error: toWire(thrown) });
  port.close();
}

function transferable(result: unknown): ArrayBuffer[] {
  if (typeof result !== 'object' || result === null || !('data' in result)) return [];
  return result.data instanceof Uint8Array ? [result.data.buffer as ArrayBuffer] : [];
}
