import { parentPort, workerData } from 'node:worker_threads';
import {
  evaluateInstant,
  evaluateRange,
  formatValue,
  type MatrixSeries,
  type QueryResult,
  type VectorSample,
} from '@weir/promql';
import { type ApiData, toWire } from './engine-protocol.ts';
import type { QueryOrder, QueryReply, QueryWorkerData } from './query-pool.ts';
import { RemoteQueryable } from './remote-select.ts';

// The entry of a thread that evaluates queries, one at a time. It requests the samples from the store's thread.

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

/** A query's result as the JSON of `data` in Prometheus' envelope. `limit` bounds the series; 0 means no bound. */
function renderResult(result: QueryResult, limit: number): ApiData {
  const warnings = [...result.warnings];
  const cut = <T>(items: readonly T[]): readonly T[] => {
    if (limit === 0 || items.length <= limit) return items;
    warnings.push('results truncated due to limit');
    return items.slice(0, limit);
  };
  const body = renderValue(result, cut);
  const data = new TextEncoder().encode(`{"resultType":"${result.type}","result":${body}}`);
  return { data, warnings, infos: result.infos };
}

function renderValue(result: QueryResult, cut: <T>(items: readonly T[]) => readonly T[]): string {
  switch (result.type) {
    case 'scalar':
      return point(result.timeMs, result.value);
    case 'string':
      return `[${seconds(result.timeMs)},${JSON.stringify(result.value)}]`;
    case 'vector':
      return `[${cut(result.samples).map(renderSample).join(',')}]`;
    case 'matrix':
      return `[${cut(result.series).map(renderSeries).join(',')}]`;
  }
}

function renderSample({ labels, timeMs, value }: VectorSample): string {
  return `{"metric":${JSON.stringify(labels)},"value":${point(timeMs, value)}}`;
}

function renderSeries({ labels, timestamps, values }: MatrixSeries): string {
  const points = new Array<string>(timestamps.length);
  for (let i = 0; i < timestamps.length; i++) points[i] = point(timestamps[i] as number, values[i] as number);
  return `{"metric":${JSON.stringify(labels)},"values":[${points.join(',')}]}`;
}

function point(timeMs: number, value: number): string {
  return `[${seconds(timeMs)},"${formatValue(value)}"]`;
}

// Milliseconds as decimal seconds, without the rounding errors of a division.
function seconds(timeMs: number): string {
  const whole = Math.trunc(timeMs / 1000);
  const rest = Math.abs(timeMs % 1000);
  if (rest === 0) return String(whole);
  const sign = timeMs < 0 && whole === 0 ? '-' : '';
  return `${sign}${whole}.${String(Math.round(rest)).padStart(3, '0')}`;
}
