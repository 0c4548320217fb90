interface IntervalLoopOptions {
  /** Its hash places the loop within the interval, so that the loops of a fleet do not run at one instant. */
  readonly key: string;
  readonly intervalMs: number;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Must not reject. `timeMs` is the timestamp for the samples; `signal` aborts when the loop stops. */
  readonly run: (timeMs: number, signal: AbortSignal) => Promise<void>;
}

/** Timers fire late by a millisecond or two. A run within this share of the interval gets its tick's time: regular timestamps compress best. */
const alignmentShare = 0.01;

/**
 * Calls `run` at every interval, on a grid fixed in Unix time. The first run starts at once. A run that takes longer than the
 * interval skips the ticks that it covers.
 */
export class IntervalLoop {
  readonly #options: IntervalLoopOptions;
  readonly #offsetMs: number;
  readonly #abort = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: IntervalLoopOptions) {
    this.#options = Object.freeze({ ...options });
    this.#offsetMs = hash(options.key) % options.intervalMs;
  }

  start(): void {
    this.#running = this.#run(this.#options.now());
  }

  /** Aborts a run under way and resolves when it has ended. */
  async stop(): Promise<void> {
    this.#abort.abort();
    clearTimeout(this.#timer);
    await this.#running;
  }

  async #run(timeMs: number): Promise<void> {
    await this.#options.run(timeMs, this.#abort.signal);
    if (this.#abort.signal.aborted) return;
    const { intervalMs, now } = this.#options;
    const currentMs = now();
    const tickMs = Math.floor((currentMs - this.#offsetMs) / intervalMs + 1) * intervalMs + this.#offsetMs;
    this.#timer = setTimeout(
      () => {
        const lateMs = Math.abs(now() - tickMs);
        const isNear = lateMs <= intervalMs * alignmentShare;
        this.#running = this.#run(isNear ? tickMs : now());
      },
      Math.max(1, tickMs - currentMs),
    );
  }
}

// FNV-1a.
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value >>> 0;
}
