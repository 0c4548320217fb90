import { CacheError } from '../errors.ts';

/** Loads several values at once: the values in the order of `args`, or an `Error` in the place of one that failed. */
export type LoadMany<A, V> = (
  args: readonly A[],
  context: { readonly signal: AbortSignal },
) => readonly (V | Error)[] | Promise<readonly (V | Error)[]>;

interface Wanted<A> {
  readonly arg: A;
  readonly signal: AbortSignal;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/**
 * Collects the misses of one `getMany` into one `loadMany`. It is called when each read has either missed, found its value, or begun
 * to wait for another process. A read that misses later is loaded alone.
 */
export class Batch<A, V> {
  readonly #loadMany: LoadMany<A, V>;
  #undecided: number;
  #wanted: Wanted<A>[] = [];

  constructor(loadMany: LoadMany<A, V>, reads: number) {
    this.#loadMany = loadMany;
    this.#undecided = reads;
  }

  /** The slot of one read. Call `settle` when the read ends or begins to wait; further calls are no-ops. */
  slot(arg: A): { load(signal: AbortSignal): Promise<unknown>; settle(): void } {
    let isDecided = false;
    const settle = () => {
      if (isDecided) return;
      isDecided = true;
      this.#undecided -= 1;
      if (this.#undecided === 0) void this.#fire();
    };
    const load = (signal: AbortSignal) =>
      new Promise<unknown>((resolve, reject) => {
        this.#wanted.push({ arg, signal, resolve, reject });
        if (isDecided && this.#undecided === 0) void this.#fire();
        else settle();
      });
    return { load, settle };
  }

  async #fire(): Promise<void> {
    const wanted = this.#wanted;
    this.#wanted = [];
    if (wanted.length === 0) return;
    try {
      const values = await this.#loadMany(
        wanted.map(({ arg }) => arg),
        { signal: whenAllAborted(wanted.map(({ signal }) => signal)) },
      );
      if (!Array.isArray(values) || values.length !== wanted.length) throw incomplete(wanted.length, values);
      wanted.forEach(({ resolve, reject }, index) => {
        const value: unknown = values[index];
        if (value instanceof Error) reject(value);
        else resolve(value);
      });
    } catch (error) {
      for (const { reject } of wanted) reject(error);
    }
  }
}

/** A signal that aborts when all of `signals` have. */
function whenAllAborted(signals: readonly AbortSignal[]): AbortSignal {
  const controller = new AbortController();
  let left = signals.length;
  for (const signal of signals) {
    const onAbort = () => {
      left -= 1;
      if (left === 0) controller.abort(signal.reason);
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  }
  return controller.signal;
}

function incomplete(expected: number, values: unknown): CacheError {
  const got = Array.isArray(values) ? `${values.length}` : typeof values;
  return new CacheError(
    'ERR_WEIR_CACHE_LOAD_INCOMPLETE',
    `Expected \`loadMany\` to return an array of ${expected} values in the order of its arguments, got \`${got}\`. Put \`undefined\` or an \`Error\` in the place of a missing one.`,
  );
}
