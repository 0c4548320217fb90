import type { EventLoopUtilization } from 'node:perf_hooks';
import { Worker } from 'node:worker_threads';
import { ServiceError } from '../errors.ts';
import {
  type ApiData,
  type EngineMethod,
  type EngineMethods,
  type EngineOptions,
  type EngineReady,
  type EngineReply,
  type EngineRequest,
  fromWire,
  type ReadMethod,
} from './engine-protocol.ts';
import { type QueryJob, QueryPool } from './query-pool.ts';
import { ReadQueue } from './read-queue.ts';

interface Waiting {
  readonly resolve: (result: never) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Of the store's thread. Most of what a scrape makes is garbage at its end; V8's own limit of 48 MB holds a third more memory
 * at 50,000 series, and saves no time.
 */
const maxYoungGenerationSizeMb = 16;
/** Threads that evaluate queries: with two, one heavy query leaves the other to everyone else. */
const queryThreads = 2;
/** Queries that may wait for one of them, and reads that may wait for the store's thread. */
const maxQueued = 64;

/** The main thread's end of the store's thread, and of those that evaluate queries on it. */
export class EngineClient {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ready: Promise<EngineReady>;
  readonly #exited: Promise<void>;
  readonly #queries: QueryPool;
  readonly #reads: ReadQueue;
  #nextId = 1;
  #isReady = false;
  #isClosing = false;
  #utilization: EventLoopUtilization | undefined;

  constructor(options: EngineOptions) {
    const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
    this.#worker = new Worker(new URL(`./store-worker${extension}`, import.meta.url), {
      workerData: options,
      resourceLimits: { maxYoungGenerationSizeMb },
    });
    this.#reads = new ReadQueue({ maxWaiting: maxQueued, timeoutMs: options.query.timeoutMs });
    this.#queries = new QueryPool({
      ...options.query,
      threads: queryThreads,
      maxQueued,
      attach: (reader) => this.#worker.postMessage(reader, [reader.port]),
    });
    let settle: Waiting | undefined;
    this.#ready = new Promise<EngineReady>((resolve, reject) => {
      settle = { resolve, reject };
    });
    this.#ready.catch(() => {});
    this.#worker.on('message', (reply: EngineReply) => {
      if (reply.type === 'ready') {
        this.#isReady = true;
        settle?.resolve(reply.ready as never);
      } else if (reply.type === 'failed') settle?.reject(fromWire(reply.error));
      else this.#settle(reply);
    });
    this.#worker.on('error', (error) => this.#fail(error, settle));
    this.#exited = new Promise((resolve) => {
      this.#worker.on('exit', () => {
        this.#fail(new Error('it ended'), settle);
        resolve();
      });
    });
  }

  /**
   * Settles once the store is open.
   * @throws ServiceError `ERR_WEIR_SERVICE_STORE_OPEN`
   */
  ready(): Promise<EngineReady> {
    return this.#ready;
  }

  /** Whether the store is open and its thread lives. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Queries and reads that wait or are evaluated. */
  get activeQueries(): number {
    return this.#queries.active + this.#reads.active;
  }

  /** Share of the time since the last call that each thread was busy. */
  busyRatios(): Readonly<Record<string, number>> {
    const current = this.#worker.performance.eventLoopUtilization();
    const { utilization } = this.#worker.performance.eventLoopUtilization(current, this.#utilization);
    this.#utilization = current;
    return { store: utilization, ...this.#queries.busyRatios() };
  }

  /** Settles when the store's thread has ended, for whatever reason. */
  get exited(): Promise<void> {
    return this.#exited;
  }

  /**
   * @throws ServiceError, PromqlError as thrown over there; `ERR_WEIR_SERVICE_ENGINE_STOPPED` when the thread is gone.
   */
  async call<M extends EngineMethod>(
    method: M,
    ...[argument]: Parameters<EngineMethods[M]>
  ): Promise<ReturnType<EngineMethods[M]>> {
    await this.#ready;
    if (!this.#isReady) throw stopped('it ended');
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, method, argument } satisfies EngineRequest, bodyOf(argument));
    });
  }

  /**
   * Asks the store's thread for something to show. Reads take turns, so that none of what the thread has to take in waits for
   * more than one of them.
   * @param signal Ends a read that still waits.
   * @throws as {@link call} and {@link ReadQueue.run}
   */
  read<M extends ReadMethod>(
    method: M,
    argument: Parameters<EngineMethods[M]>[0],
    signal: AbortSignal,
  ): Promise<ReturnType<EngineMethods[M]>> {
    return this.#reads.run(
      () => this.call(method, ...([argument] as unknown as Parameters<EngineMethods[M]>)),
      signal,
    );
  }

  /**
   * Evaluates a query on a thread of its own.
   * @throws as {@link QueryPool.run}
   */
  async query(job: QueryJob, signal?: AbortSignal): Promise<ApiData> {
    await this.#ready;
    if (!this.#isReady) throw stopped('it ended');
    return this.#queries.run(job, signal);
  }

  /** Ends the thread after what it was given before. */
  async close(): Promise<void> {
    if (!this.#isClosing) {
      this.#isClosing = true;
      await this.#queries.close();
      this.#worker.postMessage('close');
    }
    await this.#exited;
  }

  #settle(reply: Extract<EngineReply, { id: number }>): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (reply.type === 'result') waiting?.resolve(reply.result as never);
    else waiting?.reject(fromWire(reply.error));
  }

  #fail(error: Error, settle: Waiting | undefined): void {
    this.#isReady = false;
    const failure = stopped(error.message);
    settle?.reject(failure);
    for (const { reject } of this.#waiting.values()) reject(failure);
    this.#waiting.clear();
  }
}

function stopped(reason: string): ServiceError {
  return new ServiceError(
    'ERR_WEIR_SERVICE_ENGINE_STOPPED',
    `The store's thread is not running: ${reason}. Restart the service.`,
  );
}

// Bodies move instead of being copied.
function bodyOf(argument: unknown): ArrayBuffer[] {
  if (typeof argument !== 'object' || argument === null || !('body' in argument)) return [];
  return argument.body instanceof Uint8Array ? [argument.body.buffer as ArrayBuffer] : [];
}
