import type { ScrapeConfig, TargetConfig } from '../config/config.ts';
import { messageOf } from '../errors.ts';
import type { GuardedClient } from '../network/guarded-client.ts';
import type { EngineClient } from '../threads/engine-client.ts';
import { type Exposition, fetchExposition } from './fetch-exposition.ts';
import { IntervalLoop } from './interval-loop.ts';

/** A target as `/api/v1/targets` shows it. */
interface TargetState {
  readonly job: string;
  readonly url: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly health: 'unknown' | 'up' | 'down';
  /** Why the target is down, or why its samples were refused; '' when neither. */
  readonly lastError: string;
  readonly lastScrapeMs: number | undefined;
  readonly lastDurationMs: number;
  readonly samples: number;
}

interface TargetPoolOptions {
  readonly engine: EngineClient;
  readonly client: GuardedClient;
  readonly now: () => number;
  /** Called when the store refuses a scrape, and for the first of several refusals of a target's samples. */
  readonly onError: (message: string) => void;
}

interface Entry {
  target: TargetConfig;
  readonly labels: Readonly<Record<string, string>>;
  readonly read: (signal: AbortSignal) => Promise<Exposition>;
  readonly loop: IntervalLoop;
  /** Whether samples of the last scrape were refused for their time. */
  isRefused: boolean;
  state: Pick<TargetState, 'health' | 'lastError' | 'lastScrapeMs' | 'lastDurationMs' | 'samples'>;
}

const fresh: Entry['state'] = {
  health: 'unknown',
  lastError: '',
  lastScrapeMs: undefined,
  lastDurationMs: 0,
  samples: 0,
};

/** Scrapes all targets, each by its own loop. `update` starts and stops loops to match the configuration. */
export class TargetPool {
  readonly #options: TargetPoolOptions;
  readonly #entries = new Map<string, Entry>();
  #generation = '';
  #reported: string | undefined;

  constructor(options: TargetPoolOptions) {
    this.#options = Object.freeze({ ...options });
  }

  get states(): TargetState[] {
    return [...this.#entries.values()].map(({ target, labels, state }) => ({
      job: target.job,
      url: target.url.href,
      labels,
      ...state,
    }));
  }

  /**
   * Replaces the targets. Unchanged targets keep their loop; series of removed targets end with stale markers.
   * @param own A target read within this process.
   */
  update(
    scrape: ScrapeConfig,
    targets: readonly TargetConfig[],
    own?: { readonly target: TargetConfig; readonly read: () => Promise<Exposition> },
  ): void {
    // Changed scrape settings restart every loop.
    const generation = JSON.stringify(scrape);
    const wanted = new Map(targets.map((target) => [keyOf(target), target]));
    if (own !== undefined) wanted.set(keyOf(own.target), own.target);
    for (const [key, entry] of this.#entries) {
      if (wanted.has(key) && generation === this.#generation) continue;
      entry.loop.stop();
      this.#entries.delete(key);
      if (!wanted.has(key)) this.#forget(key, entry);
    }
    this.#generation = generation;
    for (const [key, target] of wanted) {
      const known = this.#entries.get(key);
      if (known !== undefined) {
        // Its allow-list may have changed.
        known.target = target;
        continue;
      }
      const read = target === own?.target ? own.read : this.#reader(key, scrape);
      this.#start(key, target, read, scrape);
    }
  }

  /** Ends every loop; resolves when no scrape is under way. */
  async stop(): Promise<void> {
    await Promise.all([...this.#entries.values()].map(({ loop }) => loop.stop()));
  }

  #reader(key: string, { timeoutMs, maxBodyBytes }: ScrapeConfig): Entry['read'] {
    return (signal) => {
      const { url, allow } = (this.#entries.get(key) as Entry).target;
      const { client } = this.#options;
      const restricted = allow === undefined ? {} : { allow };
      return fetchExposition(url, { timeoutMs, maxBodyBytes, client, signal, ...restricted });
    };
  }

  #start(key: string, target: TargetConfig, read: Entry['read'], scrape: ScrapeConfig): void {
    const labels = { ...target.labels, job: target.job, instance: target.url.host };
    const loop = new IntervalLoop({
      key,
      intervalMs: scrape.intervalMs,
      now: this.#options.now,
      run: (timeMs, signal) => this.#scrape(key, timeMs, signal, scrape),
    });
    this.#entries.set(key, { target, labels, read, loop, isRefused: false, state: fresh });
    this.#options.engine
      .call('claimTarget', { key, labels })
      .catch((thrown: unknown) => this.#options.onError(messageOf(thrown)));
    loop.start();
  }

  async #scrape(key: string, timeMs: number, signal: AbortSignal, limits: ScrapeConfig): Promise<void> {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    const started = performance.now();
    let exposition: Exposition | undefined;
    let error: string | undefined;
    try {
      exposition = await entry.read(signal);
    } catch (thrown) {
      if (signal.aborted) return;
      error = messageOf(thrown);
    }
    const elapsedMs = performance.now() - started;
    let samples = 0;
    let refusal: string | undefined;
    try {
      const outcome = await this.#options.engine.call('scrape', {
        key,
        labels: entry.labels,
        timeMs,
        elapsedMs,
        ...(exposition === undefined ? {} : { body: exposition.body }),
        ...(exposition?.contentType === undefined ? {} : { contentType: exposition.contentType }),
        limits,
      });
      samples = outcome.samples;
      error ??= outcome.error;
      refusal = outcome.refusal;
    } catch (thrown) {
      error ??= messageOf(thrown);
      this.#reportOnce(messageOf(thrown));
    }
    if (error === undefined) this.#reported = undefined;
    if (refusal !== undefined)
      refusal = `Not stored: ${refusal}. Compare the clocks of the target and this machine.`;
    if (refusal !== undefined && !entry.isRefused)
      this.#options.onError(`${entry.target.url.host}: ${refusal}`);
    entry.isRefused = refusal !== undefined;
    entry.state = {
      health: error === undefined ? 'up' : 'down',
      lastError: error ?? refusal ?? '',
      lastScrapeMs: timeMs,
      lastDurationMs: elapsedMs,
      samples,
    };
  }

  // A full disk refuses every scrape; it is logged once.
  #reportOnce(message: string): void {
    if (message !== this.#reported) this.#options.onError(message);
    this.#reported = message;
  }

  #forget(key: string, { labels, loop }: Entry): void {
    void loop
      .stop()
      .then(() => this.#options.engine.call('forgetTarget', { key, labels, timeMs: this.#options.now() }))
      .catch((thrown: unknown) => this.#options.onError(messageOf(thrown)));
  }
}

function keyOf({ job, url, labels }: TargetConfig): string {
  return JSON.stringify([job, url.href, Object.entries(labels).sort()]);
}
