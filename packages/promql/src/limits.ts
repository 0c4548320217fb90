import { PromqlError } from './errors.ts';

/** The limits and settings of one query. */
export interface QueryOptions {
  /** How far back an instant selector looks, in milliseconds. @defaultValue 300,000 */
  readonly lookbackMs?: number;
  /** Step of a subquery that names none, in milliseconds. @defaultValue 60,000 */
  readonly defaultStepMs?: number;
  /** Samples held at any one time. @defaultValue 50,000,000 */
  readonly maxSamples?: number;
  /** Points per series of a range query. @defaultValue 11,000 */
  readonly maxPoints?: number;
  /** Series that one selector may match, and that a result may hold. @defaultValue 100,000 */
  readonly maxSeries?: number;
  /** Wall-clock bound of one query, in milliseconds. @defaultValue 120,000 */
  readonly timeoutMs?: number;
  /**
   * Drops the names of computed series only when the whole query is done, as Prometheus does behind a feature flag.
   * @defaultValue false
   */
  readonly delayedNameRemoval?: boolean;
  /** Stops the query between two steps of its work. Only of use where another thread aborts it. */
  readonly isCanceled?: () => boolean;
  /** Monotonic milliseconds, for the timeout. @defaultValue `performance.now` */
  readonly clock?: () => number;
}

export type ResolvedOptions = Required<QueryOptions>;

export function resolveOptions(options: QueryOptions = {}): ResolvedOptions {
  return Object.freeze({
    lookbackMs: positive('lookbackMs', options.lookbackMs ?? 300_000),
    defaultStepMs: positive('defaultStepMs', options.defaultStepMs ?? 60_000),
    maxSamples: positive('maxSamples', options.maxSamples ?? 50_000_000),
    maxPoints: positive('maxPoints', options.maxPoints ?? 11_000),
    maxSeries: positive('maxSeries', options.maxSeries ?? 100_000),
    timeoutMs: positive('timeoutMs', options.timeoutMs ?? 120_000),
    delayedNameRemoval: options.delayedNameRemoval ?? false,
    isCanceled: options.isCanceled ?? (() => false),
    clock: options.clock ?? (() => performance.now()),
  });
}

function positive(name: string, value: number): number {
  if (typeof value === 'number' && value > 0) return value;
  throw new PromqlError(
    'bad_data',
    `Expected \`${name}\` to be a positive number, got \`${value}\`. Leave it out for the default.`,
    { code: 'ERR_WEIR_PROMQL_INVALID_OPTION' },
  );
}

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
