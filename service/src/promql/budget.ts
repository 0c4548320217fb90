import { PromqlError } from './errors.ts';
import type { ResolvedOptions } from './query-options.ts';

/** Keeps one query within its samples and its time. */
export class Budget {
  readonly #options: ResolvedOptions;
  readonly #deadline: number;
  #held = 0;
  #peak = 0;

  constructor(options: ResolvedOptions) {
    this.#options = options;
    this.#deadline = options.clock() + options.timeoutMs;
  }

  /** The most samples held at one time so far. */
  get peakSamples(): number {
    return this.#peak;
  }

  get remainingSamples(): number {
    return this.#options.maxSamples - this.#held;
  }

  /** Takes in samples before they are allocated. @throws {PromqlError} `execution` past the limit. */
  take(samples: number): void {
    this.#held += samples;
    this.#peak = Math.max(this.#peak, this.#held);
    if (this.#held > this.#options.maxSamples)
      throw new PromqlError(
        'execution',
        `query processing would load too many samples into memory in query execution (limit ${this.#options.maxSamples})`,
      );
  }

  release(samples: number): void {
    this.#held -= samples;
  }

  /** Between two pieces of work. @throws {PromqlError} `timeout` or `canceled`. */
  check(): void {
    if (this.#options.clock() > this.#deadline)
      throw new PromqlError(
        'timeout',
        `query timed out in expression evaluation after ${this.#options.timeoutMs} ms`,
      );
    if (this.#options.isCanceled())
      throw new PromqlError('canceled', 'query was canceled in expression evaluation');
  }

  /** @throws {PromqlError} `execution` when a selector or a result holds too many series. */
  checkSeries(count: number): void {
    if (count > this.#options.maxSeries)
      throw new PromqlError(
        'execution',
        `the query selects ${count} series, more than the limit of ${this.#options.maxSeries}; narrow its matchers`,
      );
  }
}
