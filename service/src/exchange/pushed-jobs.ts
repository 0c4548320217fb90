import type { ScrapeConfig } from '../config/config.ts';
import { messageOf, ServiceError } from '../errors.ts';
import type { ScrapeOutcome } from '../ingest/scrape-ingester.ts';
import type { EngineClient } from '../threads/engine-client.ts';

/** The last push of one short-lived job. */
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
 * Keeps the metrics of jobs that are too short to be scraped. The last push of each is written again at every scrape interval until
 * it expires; then its series end with stale markers. A push replaces the one before.
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

  /** Jobs whose last push has not expired. */
  get size(): number {
    return this.#jobs.size;
  }

  /**
   * Resolves with the number of samples once they are durable.
   * @throws ServiceError `ERR_WEIR_SERVICE_PUSH` when the body is malformed or the store refuses the time of a sample. Then nothing
   * of the push is stored.
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
        `${maxJobs} pushed jobs are kept already. Wait for some to expire.`,
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

  /** Ends a job's series now. Returns whether the job was kept. */
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

  /** Now, but later than the last call: two pushes within a millisecond are two samples. Follows a clock that was set back by a second or more. */
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
      // A copy, because the body is transferred to the store's thread and needed again.
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
