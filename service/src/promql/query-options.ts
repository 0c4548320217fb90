/** All optional; what is left out takes the default in brackets. */
export interface QueryOptions {
  /** How far back an instant selector looks [300,000]. */
  readonly lookbackMs?: number;
  /** Step of a subquery that names none [60,000]. */
  readonly defaultStepMs?: number;
  /** Samples held at any one time [50,000,000]. */
  readonly maxSamples?: number;
  /** Points per series of a range query [11,000]. */
  readonly maxPoints?: number;
  /** Series one selector may match, and a result may hold [100,000]. */
  readonly maxSeries?: number;
  /** Wall-clock bound on one query [120,000]. */
  readonly timeoutMs?: number;
  /**
   * Drops the names of computed series only when the whole query is done, as Prometheus does behind a feature flag [false].
   */
  readonly delayedNameRemoval?: boolean;
  /** Stops the query between two pieces of work. Only of use where another thread aborts it. */
  readonly isCanceled?: () => boolean;
  /** Monotonic milliseconds, for the timeout [`performance.now`]. */
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
  if (value > 0) return value;
  throw new RangeError(
    `Expected \`${name}\` to be a positive number, got \`${value}\`. Leave it out for the default.`,
  );
}
