interface ScrapeLoopOptions {
  /** Decides the target's place within the interval, so that a fleet is not scraped at one instant. */
  readonly key: string;
  readonly intervalMs: number;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Never rejects. `timeMs` is the time the samples get. */
  readonly scrape: (timeMs: number, signal: AbortSignal) => Promise<void>;
}

/** Timers fire late by a millisecond or two; scrapes this near their tick get the tick's time, which compresses best. */
const alignmentShare = 0.01;

/**
 * Calls `scrape` every interval on a grid fixed in Unix time. The first scrape is at once. A scrape that takes longer
 * than the interval lets the ticks it covers pass.
 */
export class ScrapeLoop {
  readonly #options: ScrapeLoopOptions;
  readonly #offsetMs: number;
  readonly #abort = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: ScrapeLoopOptions) {
    this.#options = Object.freeze({ ...options });
    this.#offsetMs = hash(options.key) % options.intervalMs;
  }

  start(): void {
    this.#running = this.#run(this.#options.now());
  }

  /** Aborts a scrape under way; resolves when it is over. */
  async stop(): Promise<void> {
    this.#abort.abort();
    clearTimeout(this.#timer);
    await this.#running;
  }

  async #run(timeMs: number): Promise<void> {
    await this.#options.scrape(timeMs, this.#abort.signal);
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
