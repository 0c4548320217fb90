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
 * Young generation of the store's thread. Almost every object of a scrape is garbage when it ends. V8's default of 48 MB takes a
 * third more memory at 50,000 series and saves no time.
 */
const maxYoungGenerationSizeMb = 16;
/** Threads that evaluate queries. With two, one heavy query does not block the others. */
const queryThreads = 2;
/** Queries that may wait for a query thread, and reads that may wait for the store's thread. */
const maxQueued = 64;

/** The engine behind the API: owns the store's thread and the threads that evaluate queries, and calls them from the main thread. */
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

  /** Whether the store is open and its thread runs. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Queries and reads that wait or run. */
  get activeQueries(): number {
    return this.#queries.active + this.#reads.active;
  }

  /** Share of the time since the last call that each thread was busy, by name. */
  busyRatios(): Readonly<Record<string, number>> {
    const current = this.#worker.performance.eventLoopUtilization();
    const { utilization } = this.#worker.performance.eventLoopUtilization(current, this.#utilization);
    this.#utilization = current;
    return { store: utilization, ...this.#queries.busyRatios() };
  }

  /** Resolves when the store's thread has ended, whatever the reason. */
  get exited(): Promise<void> {
    return this.#exited;
  }

  /**
   * Calls a method of the store's thread. A `body` in the argument is moved, not copied.
   * @throws ServiceError and PromqlError as the method throws them; `ERR_WEIR_SERVICE_ENGINE_STOPPED` when the thread has ended.
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
   * Calls a method that only reads. Reads take turns, so that ingestion waits for one of them at most.
   * @param signal Cancels a read that still waits.
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
   * Evaluates a query on a query thread.
   * @throws as {@link QueryPool.run}
   */
  async query(job: QueryJob, signal?: AbortSignal): Promise<ApiData> {
    await this.#ready;
    if (!this.#isReady) throw stopped('it ended');
    return this.#queries.run(job, signal);
  }

  /** Ends all threads; the store's thread answers the calls that it has received first. */
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

// The body of a scrape or push is transferred instead of copied.
function bodyOf(argument: unknown): ArrayBuffer[] {
  if (typeof argument !== 'object' || argument === null || !('body' in argument)) return [];
  return argument.body instanceof Uint8Array ? [argument.body.buffer as ArrayBuffer] : [];
}
