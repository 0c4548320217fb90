import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineClient } from '../engine/engine-client.ts';
import { messageOf } from '../errors.ts';
import { ScrapeLoop } from '../scrape/scrape-loop.ts';
import type { AlertNotice } from './alert-state.ts';
import { webhookBodies } from './alert-webhook.ts';
import type { RuleGroup } from './rule-group.ts';

export interface RuleSchedulerOptions {
  readonly engine: EngineClient;
  readonly now: () => number;
  /** Sends one body to the webhook; rejects when it was not taken. */
  readonly post: (url: URL, body: string, signal: AbortSignal) => Promise<void>;
  readonly onError: (message: string) => void;
  /** Where links in notifications lead. */
  readonly externalUrl: () => string;
}

const attempts = 4;

/** Evaluates rule groups on their intervals and sends what they notify of. */
export class RuleScheduler {
  readonly #options: RuleSchedulerOptions;
  readonly #abort = new AbortController();
  #loops: ScrapeLoop[] = [];
  #webhook: URL | undefined;

  constructor(options: RuleSchedulerOptions) {
    this.#options = Object.freeze({ ...options });
  }

  async update(groups: readonly RuleGroup[], webhook: URL | undefined): Promise<void> {
    await Promise.all(this.#loops.map((loop) => loop.stop()));
    this.#webhook = webhook;
    const { engine, now } = this.#options;
    await engine.call('setRules', { groups, externalUrl: this.#options.externalUrl() });
    this.#loops = groups.map(
      ({ file, name, intervalMs }, index) =>
        new ScrapeLoop({
          key: `${file} ${name}`,
          intervalMs,
          now,
          scrape: (timeMs) => this.#evaluate(index, timeMs),
        }),
    );
    for (const loop of this.#loops) loop.start();
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await Promise.all(this.#loops.map((loop) => loop.stop()));
  }

  async #evaluate(group: number, timeMs: number): Promise<void> {
    try {
      const notices = await this.#options.engine.call('evaluateRules', { group, timeMs });
      if (notices.length > 0 && this.#webhook !== undefined) void this.#notify(this.#webhook, notices);
    } catch (thrown) {
      this.#options.onError(messageOf(thrown));
    }
  }

  // Tries again with growing pauses: an alert that is told late is better than one that is not.
  async #notify(webhook: URL, notices: readonly AlertNotice[]): Promise<void> {
    const { signal } = this.#abort;
    for (const body of webhookBodies(notices, this.#options.externalUrl())) {
      for (let attempt = 1; !signal.aborted; attempt++) {
        try {
          await this.#options.post(webhook, JSON.stringify(body), signal);
          break;
        } catch (thrown) {
          if (signal.aborted) return;
          if (attempt === attempts) {
            this.#options.onError(`alert webhook: ${messageOf(thrown)}`);
            break;
          }
          await sleep(1_000 * 4 ** (attempt - 1), undefined, { signal, ref: false }).catch(() => {});
        }
      }
    }
  }
}
