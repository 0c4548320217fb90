import { PromqlError } from '@weir/promql';
import { ServiceError } from '../errors.ts';

interface ReadQueueOptions {
  /** Reads that may wait; further ones are refused. */
  readonly maxWaiting: number;
  /** How long a read may wait, in milliseconds; the read itself has no timeout. */
  readonly timeoutMs: number;
}

interface Waiting {
  readonly begin: () => void;
  readonly refuse: (error: Error) => void;
}

/**
 * Lets one read at a time through to the store's thread, so that ingestion waits for one read at most. A waiting read can still
 * be cancelled.
 */
export class ReadQueue {
  readonly #options: ReadQueueOptions;
  readonly #waiting = new Set<Waiting>();
  #isReading = false;

  constructor(options: ReadQueueOptions) {
    this.#options = Object.freeze({ ...options });
  }

  /** Reads that wait or run. */
  get active(): number {
    return this.#waiting.size + (this.#isReading ? 1 : 0);
  }

  /**
   * Runs the read when its turn comes.
   * @param signal Removes a waiting read from the queue. It does not end a read that runs.
   * @throws PromqlError `canceled`, or `timeout` after `timeoutMs` in the queue; ServiceError `ERR_WEIR_SERVICE_ENGINE_BUSY` when
   * `maxWaiting` reads wait already; whatever the read throws.
   */
  async run<T>(read: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (signal?.aborted === true) throw new PromqlError('canceled', 'the read was canceled');
    if (this.#isReading) await this.#turn(signal);
    this.#isReading = true;
    try {
      return await read();
    } finally {
      const [next] = this.#waiting;
      if (next === undefined) this.#isReading = false;
      else next.begin();
    }
  }

  #turn(signal: AbortSignal | undefined): Promise<void> {
    const { maxWaiting, timeoutMs } = this.#options;
    if (this.#waiting.size >= maxWaiting)
      throw new ServiceError(
        'ERR_WEIR_SERVICE_ENGINE_BUSY',
        `${maxWaiting} reads are waiting already. Ask again in a moment.`,
      );
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.delete(waiting);
        clearTimeout(timer);
        signal?.removeEventListener('abort', cancel);
      };
      const waiting: Waiting = {
        begin: () => {
          leave();
          resolve();
        },
        refuse: (error) => {
          leave();
          reject(error);
        },
      };
      const cancel = (): void => waiting.refuse(new PromqlError('canceled', 'the read was canceled'));
      const timer = setTimeout(
        () => waiting.refuse(new PromqlError('timeout', `the read waited for ${timeoutMs} ms`)),
        timeoutMs,
      );
      signal?.addEventListener('abort', cancel, { once: true });
      this.#waiting.add(waiting);
    });
  }
}
