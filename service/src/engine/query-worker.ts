import { parentPort, workerData } from 'node:worker_threads';
import { evaluateInstant, evaluateRange } from '@weir/promql';
import type { ApiData } from './engine-protocol.ts';
import type { QueryOrder, QueryReply, QueryWorkerData } from './query-protocol.ts';
import { RemoteQueryable } from './remote-queryable.ts';
import { renderResult } from './render-result.ts';
import { toWire } from './wire-error.ts';

// A thread that evaluates queries, one at a time. It has no samples of its own: it asks the store's thread for them.

const port = parentPort;
if (port === null) throw new Error('This module runs as a worker thread only.');
const { store, posted, limits } = workerData as QueryWorkerData;
const queryable = new RemoteQueryable(store, posted);

port.on('message', (order: QueryOrder) => {
  try {
    const result = answer(order);
    const reply: QueryReply = { type: 'result', result };
    port.postMessage(reply, [result.data.buffer as ArrayBuffer]);
  } catch (thrown) {
    port.postMessage({ type: 'error', error: toWire(thrown) } satisfies QueryReply);
  }
});

function answer({ job, timeoutMs, canceled }: QueryOrder): ApiData {
  queryable.guard = { canceled, deadlineMs: performance.now() + timeoutMs };
  const options = { ...limits, timeoutMs, isCanceled: () => Atomics.load(canceled, 0) !== 0 };
  const { request } = job;
  const result =
    job.kind === 'instant'
      ? evaluateInstant(queryable, request.query, job.request.timeMs, options)
      : evaluateRange(queryable, request.query, job.request, options);
  return renderResult(result, request.limit);
}
