import type { ScrapeConfig } from '../config/config.ts';
import { messageOf, ServiceError } from '../errors.ts';
import type { ScrapeOutcome } from '../ingest/scrape-ingester.ts';
import type { EngineClient } from '../threads/engine-client.ts';

/** What one short-lived job pushed last. */
interface PushedJob {
  readonly labels: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly contentType: string | undefined;
  readonly expiresMs: number;
}

interface PushedJobsOptions {
  readonly engine: EngineClient;
  readonly now: () => number;
  readonly settings: () => { readonly scrape: ScrapeConfig; readonly expiryMs: number };
  readonly onError: (message: string) => void;
}

const maxJobs = 1_000;

/**
 * Shows what jobs too short to be scraped have pushed: the last push of each is sampled at every scrape interval until it
 * expires, then ends with stale markers. A push replaces the one before it.
 */
export class PushedJobs {
  readonly #options: PushedJobsOptions;
  readonly #jobs = new Map<string, PushedJob>();
  #lastMs = 0;
  /** Whether the last tick's samples were refused. */
  #isRefused = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PushedJobsOptions) {
    this.#options = Object.freeze({ ...options });
  }

  /** Pushes shown now, for the list of targets. */
  get size(): number {
    return this.#jobs.size;
  }

  /**
   * Resolves with the samples taken; they are durable then.
   * @throws ServiceError `ERR_WEIR_SERVICE_PUSH` with what is wrong with the body, or why the store refuses a sample's time;
   * nothing of it is kept then.
   */
  async push(
    job: string,
    instance: string,
    body: Uint8Array,
    contentType: string | undefined,
  ): Promise<number> {
    const labels = { job, instance };
    const key = keyOf(labels);
    if (!this.#jobs.has(key) && this.#jobs.size >= maxJobs) {
      throw new ServiceError(
        'ERR_WEIR_SERVICE_PUSH',
        `${maxJobs} jobs are shown already. Wait for some to expire.`,
      );
    }
    const expiresMs = this.#options.now() + this.#options.settings().expiryMs;
    const pushed = { labels, body, contentType, expiresMs };
    const { samples, error } = await this.#sample(key, pushed, 'once');
    if (error !== undefined) throw new ServiceError('ERR_WEIR_SERVICE_PUSH', error);
    this.#jobs.set(key, pushed);
    this.#timer ??= setTimeout(() => void this.#tick(), this.#options.settings().scrape.intervalMs).unref();
    return samples;
  }

  /** Ends a job's series now. Returns whether there were any. */
  async delete(job: string, instance: string): Promise<boolean> {
    const labels = { job, instance };
    const key = keyOf(labels);
    if (!this.#jobs.delete(key)) return false;
    await this.#options.engine.call('forgetTarget', { key, labels, timeMs: this.#timeMs() });
    return true;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#jobs.clear();
  }

  /** Now, later than every time before: two pushes of one millisecond are two samples. A clock set back is followed. */
  #timeMs(): number {
    const nowMs = this.#options.now();
    const isNear = this.#lastMs >= nowMs && this.#lastMs - nowMs < 1_000;
    this.#lastMs = isNear ? this.#lastMs + 1 : nowMs;
    return this.#lastMs;
  }

  async #tick(): Promise<void> {
    let refusal: string | undefined;
    for (const [key, pushed] of this.#jobs) {
      try {
        if (pushed.expiresMs <= this.#options.now()) {
          const { job = '', instance = '' } = pushed.labels;
          await this.delete(job, instance);
        } else refusal = reasonOf(await this.#sample(key, pushed, 'again')) ?? refusal;
      } catch (thrown) {
        this.#options.onError(messageOf(thrown));
      }
    }
    if (refusal !== undefined && !this.#isRefused) this.#options.onError(`Not stored: ${refusal}.`);
    this.#isRefused = refusal !== undefined;
    this.#timer =
      this.#jobs.size === 0
        ? undefined
        : setTimeout(() => void this.#tick(), this.#options.settings().scrape.intervalMs).unref();
  }

  #sample(
    key: string,
    { labels, body, contentType }: PushedJob,
    push: 'once' | 'again',
  ): Promise<ScrapeOutcome> {
    return this.#options.engine.call('scrape', {
      key,
      labels,
      timeMs: this.#timeMs(),
      elapsedMs: 0,
      // The body moves to the store's thread and is wanted again.
      body: body.slice(),
      ...(contentType === undefined ? {} : { contentType }),
      limits: this.#options.settings().scrape,
      push,
    });
  }
}

function reasonOf({ error, refusal }: ScrapeOutcome): string | undefined {
  return error ?? (refusal === undefined ? undefined : `${refusal}. Check the clock of this machine`);
}

function keyOf(labels: Readonly<Record<string, string>>): string {
  return `push ${JSON.stringify(labels)}`;
}
