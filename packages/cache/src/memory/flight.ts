import type { Clock } from '@weir/redis';
import { CacheError } from '../errors.ts';
import { phaseOf } from '../policy.ts';
import type { Fence } from './fences.ts';
import type { Entry } from './memory-store.ts';

/** Where the value of a flight came from. */
type FlightSource = 'l1' | 'l2' | 'load' | 'stale';

/** How long one caller waits. */
interface Patience {
  readonly softTimeoutMs: number;
  readonly hardTimeoutMs: number;
}

/**
 * One read-and-load of one key in this process, shared by all callers in the meantime. Each caller has its own timeouts and signal;
 * the load is aborted only when every caller has aborted, or at its maximum age.
 */
export class Flight {
  readonly fence: Fence;
  readonly isBackground: boolean;
  readonly startedAt: number;
  /** Names of the tags of its value. An invalidation of one closes the flight to new callers. */
  tags: readonly string[];
  /** The epoch of L1 in which it began, and in which its value is stored. */
  readonly epoch: number;
  /** Set before `settled` settles. */
  source: FlightSource = 'load';
  settled: Promise<unknown> = Promise.resolve();
  /** The moment of `performance.now` by which it must be done with Redis; `undefined` while it has not asked it. */
  redisUntil: number | undefined;
  // Created on first use: most flights end with a hit in Redis.
  #controller: AbortController | undefined;
  #abortion: { readonly reason: unknown } | undefined;
  #onAbort: ((reason: unknown) => void) | undefined;
  #ageTimer: NodeJS.Timeout | undefined;
  #fallback: Entry | undefined;
  /** Callers whose soft timeout has passed without an old value: each returns whether it could take one now. */
  #overdue: Set<() => boolean> | undefined;
  #waiting = 0;
  #isPinned: boolean;

  constructor(
    fence: Fence,
    fields: { isBackground: boolean; startedAt: number; tags: readonly string[]; epoch: number },
  ) {
    this.fence = fence;
    this.isBackground = fields.isBackground;
    this.startedAt = fields.startedAt;
    this.tags = fields.tags;
    this.epoch = fields.epoch;
    this.#isPinned = fields.isBackground;
  }

  /** Whether new callers may still join. */
  get isOpen(): boolean {
    return this.fence.isAlive && this.#abortion === undefined;
  }

  get isAborted(): boolean {
    return this.#abortion !== undefined;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#abortion !== undefined) this.#controller.abort(this.#abortion.reason);
    }
    return this.#controller.signal;
  }

  /** The old value, which the load replaces. `standIn` decides whether it may be served. */
  get fallback(): Entry | undefined {
    return this.#fallback;
  }

  set fallback(entry: Entry | undefined) {
    this.#fallback = entry;
    if (entry === undefined || this.#overdue === undefined) return;
    for (const standIn of this.#overdue) standIn();
  }

  /** Returns the old value if it may be served instead of the load's result: within its grace, not deleted or invalidated since. */
  standIn(now: number): Entry | undefined {
    const { fallback } = this;
    if (fallback === undefined || !this.fence.isAlive || phaseOf(fallback, now) === 'dead') return undefined;
    return fallback;
  }

  /** Ends the flight. Its fence dies, because its value may be older than the one of the next flight. */
  abort(reason: unknown): void {
    if (this.#abortion !== undefined) return;
    this.#abortion = { reason };
    this.fence.isAlive = false;
    this.#onAbort?.(reason);
    this.#controller?.abort(reason);
  }

  /** Aborts the flight `maxFlightMs` from now. */
  limitAge(maxFlightMs: number): void {
    this.#ageTimer ??= setTimeout(() => this.abort(flightExpired(maxFlightMs)), maxFlightMs).unref();
  }

  /** Frees what the flight holds. */
  end(): void {
    clearTimeout(this.#ageTimer);
    this.#onAbort = undefined;
  }

  /** The same promise, rejected when the flight is aborted, even if the load ignores its signal. */
  unlessAborted(work: Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#onAbort = reject;
      if (this.#abortion !== undefined) reject(this.#abortion.reason as Error);
      work.then(resolve, reject);
    });
  }

  /** Resolves with the shared result, or with an old value at a timeout. Rejects with the load's error, a timeout or the caller's abort. */
  join(
    { hardTimeoutMs, softTimeoutMs }: Patience,
    signal: AbortSignal | undefined,
    clock: Clock,
    onStandIn: () => void,
  ): Promise<unknown> {
    if (softTimeoutMs === Number.POSITIVE_INFINITY && hardTimeoutMs === Number.POSITIVE_INFINITY && !signal) {
      this.#isPinned = true;
      return this.settled;
    }
    if (signal?.aborted) {
      this.#leave();
      return Promise.reject(signal.reason as Error);
    }
    const elapsed = clock.now() - this.startedAt;
    return new Promise<unknown>((resolve, reject) => {
      this.#waiting += 1;
      const timers: NodeJS.Timeout[] = [];
      let isDone = false;
      const cleanUp = () => {
        if (isDone) return;
        isDone = true;
        for (const timer of timers) clearTimeout(timer);
        this.#overdue?.delete(standIn);
        signal?.removeEventListener('abort', onAbort);
        this.#waiting -= 1;
      };
      const standIn = (): boolean => {
        const standing = this.standIn(clock.now());
        if (standing === undefined) return false;
        cleanUp();
        this.#isPinned = true;
        onStandIn();
        resolve(standing.value);
        return true;
      };
      const onSoftTimeout = () => {
        if (standIn()) return;
        // A read of Redis in flight may still find one.
        this.#overdue ??= new Set();
        this.#overdue.add(standIn);
      };
      const onAbort = () => {
        cleanUp();
        this.#leave();
        reject(signal?.reason as Error);
      };
      const onHardTimeout = () => {
        if (standIn()) return;
        cleanUp();
        this.#isPinned = true;
        reject(loadTimeout(hardTimeoutMs));
      };
      schedule(timers, onSoftTimeout, softTimeoutMs - elapsed);
      schedule(timers, onHardTimeout, hardTimeoutMs - elapsed);
      signal?.addEventListener('abort', onAbort, { once: true });
      this.settled.then(
        (value) => {
          cleanUp();
          resolve(value);
        },
        (error: unknown) => {
          cleanUp();
          reject(error);
        },
      );
    });
  }

  #leave(): void {
    if (this.#waiting === 0 && !this.#isPinned) {
      this.abort(new DOMException('Every caller has aborted.', 'AbortError'));
    }
  }
}

function schedule(timers: NodeJS.Timeout[], action: () => unknown, delayMs: number): void {
  if (delayMs >= 2_147_483_647) return;
  timers.push(setTimeout(action, Math.max(delayMs, 0)));
}

function loadTimeout(hardTimeoutMs: number): CacheError {
  return new CacheError(
    'ERR_WEIR_CACHE_LOAD_TIMEOUT',
    `The load did not finish within \`hardTimeoutMs\` (${hardTimeoutMs} ms). It continues for later callers; set \`graceMs\` to serve a stale value instead.`,
  );
}

function flightExpired(maxFlightMs: number): CacheError {
  return new CacheError(
    'ERR_WEIR_CACHE_FLIGHT_EXPIRED',
    `The load of a key ran for \`maxFlightMs\` (${maxFlightMs} ms) and was aborted. Make the load honour its \`signal\`, or raise \`maxFlightMs\`.`,
  );
}
