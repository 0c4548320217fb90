import { messageOf } from '../errors.ts';
import type { RuleGroup } from '../rules/rule-state.ts';
import type { EngineClient } from '../threads/engine-client.ts';
import type { AlertNotifier } from './alert-notifier.ts';
import { IntervalLoop } from './interval-loop.ts';

interface RuleSchedulerOptions {
  readonly engine: EngineClient;
  readonly now: () => number;
  readonly notifier: AlertNotifier;
  readonly onError: (message: string) => void;
  /** Base URL of links in templates. */
  readonly externalUrl: () => string;
}

/** Evaluates rule groups at their intervals and reports their alerts to the notifier. */
export class RuleScheduler {
  readonly #options: RuleSchedulerOptions;
  #loops: IntervalLoop[] = [];

  constructor(options: RuleSchedulerOptions) {
    this.#options = Object.freeze({ ...options });
  }

  /**
   * Replaces the rule groups and the webhook.
   * @param graceMs How long after the start all targets have been scraped again.
   */
  async update(groups: readonly RuleGroup[], webhook: URL | undefined, graceMs: number): Promise<void> {
    await Promise.all(this.#loops.map((loop) => loop.stop()));
    const { engine, now, notifier, externalUrl } = this.#options;
    await engine.call('setRules', { groups, externalUrl: externalUrl(), timeMs: now() });
    const notified = groups.map((group) => ({
      key: keyOf(group),
      alerts: group.rules.flatMap(({ kind, name }) => (kind === 'alerting' ? [name] : [])),
    }));
    await notifier.update(notified, webhook, graceMs);
    this.#loops = groups.map(
      (group, index) =>
        new IntervalLoop({
          key: keyOf(group),
          intervalMs: group.intervalMs,
          now,
          run: (timeMs) => this.#evaluate(index, keyOf(group), timeMs),
        }),
    );
    for (const loop of this.#loops) loop.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#loops.map((loop) => loop.stop()));
    await this.#options.notifier.stop();
  }

  async #evaluate(group: number, key: string, timeMs: number): Promise<void> {
    try {
      this.#options.notifier.report(key, await this.#options.engine.call('evaluateRules', { group, timeMs }));
    } catch (thrown) {
      this.#options.onError(messageOf(thrown));
    }
  }
}

function keyOf({ file, name }: RuleGroup): string {
  return `${file} ${name}`;
}
