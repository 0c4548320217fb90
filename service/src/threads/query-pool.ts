import type { EventLoopUtilization } from 'node:perf_hooks';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { PromqlError } from '@weir/promql';
import { ServiceError } from '../errors.ts';
import { type ApiData, fromWire, type QueryLimits, type WireError } from './engine-protocol.ts';
import type { AttachReader } from './remote-select.ts';

interface InstantRequest {
  readonly query: string;
  readonly timeMs: number;
  readonly timeoutMs: number | undefined;
  /** Series in the answer, 0 for no bound. */
  readonly limit: number;
}

interface RangeRequest {
  readonly query: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
  readonly timeoutMs: number | undefined;
  readonly limit: number;
}

export type QueryJob =
  | { readonly kind: 'instant'; readonly request: InstantRequest }
  | { readonly kind: 'range'; readonly request: RangeRequest };

/** Sent from the main thread to a query's thread, one at a time. */
export interface QueryOrder {
  readonly job: QueryJob;
  readonly timeoutMs: number;
  /** Not 0 once the query is cancelled. */
  readonly canceled: Int32Array;
}

export type QueryReply =
  | { readonly type: 'result'; readonly result: ApiData }
  | { readonly type: 'error'; readonly error: WireError };

/** Start data of a query's thread. */
export interface QueryWorkerData {
  readonly store: MessagePort;
  readonly posted: Int32Array;
  readonly limits: QueryLimits;
}

interface QueryPoolOptions extends QueryLimits {
  /** The most threads; each starts when a query finds none idle. */
  readonly threads: number;
  /** Queries that may wait for a thread; further ones are refused. */
  readonly maxQueued: number;
  /** Introduces a new thread to the store's thread. */
  readonly attach: (reader: AttachReader) => void;
}

interface Task {
  readonly job: QueryJob;
  readonly canceled: Int32Array;
  readonly deadlineMs: number;
  readonly settle: (reply: QueryReply) => void;
}

interface Thread {
  readonly worker: Worker;
  task: Task | undefined;
  utilization: EventLoopUtilization | undefined;
}

/** Heap of a thread. A query that exceeds it ends together with its thread, and the service continues. */
const maxHeapMb = 2_048;

/** Evaluates queries on their own threads, so that a heavy query delays neither ingestion nor the next query. */
export class QueryPool {
  readonly #options: QueryPoolOptions;
  readonly #threads: Thread[] = [];
  readonly #queue: Task[] = [];
  #isClosed = false;

  constructor(options: QueryPoolOptions) {
    this.#options = Object.freeze({ ...options });
  }

  /** Queries that wait or are evaluated. */
  get active(): number {
    return this.#queue.length + this.#threads.filter(({ task }) => task !== undefined).length;
  }

  /** Share of the time since the last call that each thread was busy, by name (`query-1`). */
  busyRatios(): Record<string, number> {
    return Object.fromEntries(
      this.#threads.map((thread, at) => {
        const current = thread.worker.performance.eventLoopUtilization();
        const { utilization } = thread.worker.performance.eventLoopUtilization(current, thread.utilization);
        thread.utilization = current;
        return [`query-${at + 1}`, utilization];
      }),
    );
  }

  /**
   * Resolves with the result of a query.
   * @param signal Ends the query at once, whether it waits or is evaluated.
   * @throws PromqlError of the evaluation; `canceled` and `timeout` also while the query waits. ServiceError
   * `ERR_WEIR_SERVICE_ENGINE_BUSY` when `maxQueued` queries wait already.
   */
  run(job: QueryJob, signal?: AbortSignal): Promise<ApiData> {
    const { timeoutMs: most, maxQueued } = this.#options;
    const timeoutMs = Math.min(job.request.timeoutMs ?? most, most);
    if (signal?.aborted === true) return Promise.reject(canceledError());
    if (this.#queue.length >= maxQueued)
      return Promise.reject(
        new ServiceError(
          'ERR_WEIR_SERVICE_ENGINE_BUSY',
          `${maxQueued} queries are waiting already. Ask again in a moment.`,
        ),
      );
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
      };
      const task: Task = {
        job,
        canceled: new Int32Array(new SharedArrayBuffer(4)),
        deadlineMs: performance.now() + timeoutMs,
        settle: (reply) => {
          finish();
          if (reply.type === 'result') resolve(reply.result);
          else reject(fromWire(reply.error));
        },
      };
      const giveUp = (error: PromqlError): void => {
        // The thread checks the flag between two pieces of work and then takes the next query.
        Atomics.store(task.canceled, 0, 1);
        const at = this.#queue.indexOf(task);
        if (at !== -1) this.#queue.splice(at, 1);
        finish();
        reject(error);
      };
      const abort = (): void => giveUp(canceledError());
      const timer = setTimeout(
        () => giveUp(new PromqlError('timeout', `query timed out after ${timeoutMs} ms`)),
        // The evaluation enforces the timeout itself, with a more precise message.
        timeoutMs + 100,
      );
      signal?.addEventListener('abort', abort, { once: true });
      this.#queue.push(task);
      this.#next();
    });
  }

  /** Ends all threads and rejects the queries that wait. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { settle } of this.#queue.splice(0)) settle({ type: 'error', error: stopped });
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }

  #next(): void {
    if (this.#isClosed) return;
    const thread =
      this.#threads.find(({ task }) => task === undefined) ??
      (this.#threads.length < this.#options.threads ? this.#start() : undefined);
    const task = thread === undefined ? undefined : this.#queue.shift();
    if (thread === undefined || task === undefined) return;
    thread.task = task;
    const timeoutMs = Math.max(1, task.deadlineMs - performance.now());
    thread.worker.postMessage({ job: task.job, timeoutMs, canceled: task.canceled } satisfies QueryOrder);
  }

  #start(): Thread {
    const { threads: _, maxQueued: __, attach, ...limits } = this.#options;
    const { port1, port2 } = new MessageChannel();
    const posted = new Int32Array(new SharedArrayBuffer(4));
    attach({ type: 'attach', port: port1, posted });
    const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
    const worker = new Worker(new URL(`./query-worker${extension}`, import.meta.url), {
      workerData: { store: port2, posted, limits } satisfies QueryWorkerData,
      transferList: [port2],
      resourceLimits: { maxOldGenerationSizeMb: maxHeapMb },
    });
    const thread: Thread = { worker, task: undefined, utilization: undefined };
    worker.on('message', (reply: QueryReply) => {
      const { task } = thread;
      thread.task = undefined;
      task?.settle(reply);
      this.#next();
    });
    // `exit` follows and settles the task.
    worker.on('error', () => {});
    worker.on('exit', () => {
      this.#threads.splice(this.#threads.indexOf(thread), 1);
      thread.task?.settle({ type: 'error', error: this.#isClosed ? stopped : tooHeavy });
      this.#next();
    });
    this.#threads.push(thread);
    return thread;
  }
}

const stopped = {
  kind: 'service',
  code: 'ERR_WEIR_SERVICE_ENGINE_STOPPED',
  message: 'The service is stopping.',
} as const;
const tooHeavy = {
  kind: 'promql',
  code: 'execution',
  message: 'the query needs more memory than its thread has; narrow its matchers or its range',
} as const;

function canceledError(): PromqlError {
  return new PromqlError('canceled', 'query was canceled');
}
