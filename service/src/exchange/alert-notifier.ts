import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../errors.ts';
import { DeliveryError } from '../network/guarded-client.ts';
import type { FiringAlert, GroupAlerts } from '../rules/rule-state.ts';
import { type NotifiedAlert, NotifiedAlerts } from './notified-alerts.ts';

interface NotifiedGroup {
  /** Unique among groups. */
  readonly key: string;
  /** Names of its alerting rules. */
  readonly alerts: readonly string[];
}

interface AlertNotifierOptions {
  /** The file of the notified alerts. */
  readonly path: string;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Posts one body to the receiver; rejects when the receiver did not accept it. */
  readonly post: (url: URL, body: string, signal: AbortSignal) => Promise<void>;
  readonly onError: (message: string) => void;
  /** Called with the number of alerts of a notification. */
  readonly onNotified: (outcome: 'delivered' | 'failed', count: number) => void;
  /** Base URL of links in notifications. */
  readonly externalUrl: () => string;
  /**
   * Waits before the next attempt.
   * @defaultValue a timer
   */
  readonly pause?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** Interval at which a firing alert is sent again. */
const repeatMs = 4 * 3_600_000;
const longestPauseMs = 15_000;
/** The most alerts that the receiver is kept informed of. */
const maxAlerts = 10_000;
/** The most alerts of a request: about half the default limit of proxies (nginx: 1 MiB) for alerts of 1 kB. */
const maxAlertsOfRequest = 500;

interface GroupState extends NotifiedGroup {
  firing: ReadonlyMap<string, FiringAlert>;
  unknown: readonly string[];
  /** Whether the group was evaluated since the last `update`. */
  isReported: boolean;
}

/**
 * Keeps the receiver of alerts informed: compares the firing alerts with the notified ones and sends the difference. A failed
 * notification is retried until it is delivered or obsolete: an alert that begins and ends while the receiver is away is not sent,
 * as in Alertmanager. The notified alerts survive a restart.
 */
export class AlertNotifier {
  readonly #options: AlertNotifierOptions;
  readonly #pause: NonNullable<AlertNotifierOptions['pause']>;
  readonly #notified: NotifiedAlerts;
  readonly #groups = new Map<string, GroupState>();
  #webhook: URL | undefined;
  #startMs: number | undefined;
  #graceMs = 0;
  #isFull = false;
  /** Alerts of a request at most: halved when a request is too large for the receiver, raised by 5 % with each one it takes. */
  #batchSize = maxAlertsOfRequest;
  #abort = new AbortController();
  #delivery: Promise<void> | undefined;

  constructor(options: AlertNotifierOptions) {
    this.#options = Object.freeze({ ...options });
    this.#pause =
      options.pause ?? ((ms, signal) => sleep(ms, undefined, { signal, ref: false }).catch(() => {}));
    this.#notified = new NotifiedAlerts(options.path, options.onError);
  }

  /** Alerts whose notification is due. */
  get pending(): number {
    return this.#due().length;
  }

  /**
   * Replaces the groups and the receiver. Alerts of removed rules are resolved. A new receiver gets every firing alert; the previous
   * one gets nothing more.
   * @param graceMs How long after the start all targets have been scraped again. Alerts notified before the start are not resolved
   * earlier.
   */
  async update(groups: readonly NotifiedGroup[], webhook: URL | undefined, graceMs: number): Promise<void> {
    await this.stop();
    this.#abort = new AbortController();
    this.#startMs ??= this.#options.now();
    this.#graceMs = graceMs;
    this.#webhook = webhook;
    this.#batchSize = maxAlertsOfRequest;
    this.#notified.setReceiver(webhook);
    this.#groups.clear();
    for (const group of groups)
      this.#groups.set(group.key, { ...group, firing: new Map(), unknown: [], isReported: false });
    this.#deliver();
  }

  /** Replaces the alerts of a group by those of its latest evaluation. */
  report(key: string, { firing, unknown }: GroupAlerts): void {
    const group = this.#groups.get(key);
    if (group === undefined) return;
    group.firing = new Map(firing.map((alert) => [alert.id, alert]));
    group.unknown = unknown;
    group.isReported = true;
    this.#deliver();
  }

  /** Aborts a delivery under way; its alerts stay due. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#delivery;
  }

  #deliver(): void {
    if (this.#delivery !== undefined || this.#abort.signal.aborted || this.pending === 0) return;
    this.#delivery = this.#deliverAll(this.#abort.signal).finally(() => {
      this.#delivery = undefined;
    });
  }

  async #deliverAll(signal: AbortSignal): Promise<void> {
    let pauseMs = 0;
    let reported: string | undefined;
    while (!signal.aborted) {
      const names = new Set(this.#due().map(([, { labels }]) => labels.alertname ?? ''));
      if (names.size === 0) return;
      let failure: string | undefined;
      for (const name of names) failure = (await this.#deliverName(name, signal)) ?? failure;
      if (signal.aborted) return;
      if (failure !== undefined && failure !== reported)
        this.#options.onError(`alert webhook: ${failure} The service retries it.`);
      reported = failure;
      if (failure === undefined) continue;
      pauseMs = Math.min(longestPauseMs, Math.max(1_000, pauseMs * 2));
      await this.#pause(pauseMs, signal);
    }
  }

  /** Why some alerts of this name could not be delivered, or `undefined`. */
  async #deliverName(name: string, signal: AbortSignal): Promise<string | undefined> {
    const due = this.#due().filter(([, { labels }]) => (labels.alertname ?? '') === name);
    let failure: string | undefined;
    let isChanged = false;
    for (let at = 0; at < due.length && !signal.aborted; ) {
      const part = due.slice(at, at + this.#batchSize);
      try {
        await this.#post(name, part, signal);
        isChanged = true;
        this.#batchSize = Math.min(maxAlertsOfRequest, Math.ceil(this.#batchSize * 1.05));
      } catch (thrown) {
        const isTooLarge = thrown instanceof DeliveryError && thrown.status === 413;
        if (isTooLarge && part.length > 1) {
          this.#batchSize = Math.floor(part.length / 2);
          continue;
        }
        if (!signal.aborted) this.#options.onNotified('failed', isTooLarge ? 1 : due.length - at);
        failure = messageOf(thrown);
        // An alert that is too large by itself does not hold up the others.
        if (!isTooLarge) break;
      }
      at += part.length;
    }
    if (isChanged) this.#notified.save();
    return failure;
  }

  async #post(
    name: string,
    due: readonly [id: string, notice: AlertNotice][],
    signal: AbortSignal,
  ): Promise<void> {
    const { post, externalUrl, onNotified, now } = this.#options;
    if (this.#webhook === undefined) return;
    const notices = due.map(([, notice]) => notice);
    await post(this.#webhook, JSON.stringify(webhookBody(name, notices, externalUrl())), signal);
    onNotified('delivered', due.length);
    for (const [id, { status, endsAtMs: _, ...alert }] of due)
      if (status === 'firing') this.#notified.put({ ...alert, id, notifiedMs: now() });
      else this.#notified.delete(id);
  }

  #due(): [id: string, notice: AlertNotice][] {
    if (this.#webhook === undefined) return [];
    const nowMs = this.#options.now();
    const due: [string, AlertNotice][] = [];
    const firing = new Map([...this.#groups.values()].flatMap((group) => [...group.firing]));
    let free = maxAlerts - this.#notified.size;
    for (const [id, alert] of firing) {
      const before = this.#notified.get(id);
      if (before === undefined ? free-- <= 0 : nowMs - before.notifiedMs < repeatMs) continue;
      const { labels, annotations, query } = alert;
      const { startsAtMs } = before ?? alert;
      due.push([id, { status: 'firing', labels, annotations, startsAtMs, endsAtMs: undefined, query }]);
    }
    this.#reportFull(-free);
    for (const alert of this.#notified.all()) {
      if (firing.has(alert.id) || !this.#isOver(alert, nowMs)) continue;
      const { labels, annotations, startsAtMs, query } = alert;
      due.push([alert.id, { status: 'resolved', labels, annotations, startsAtMs, endsAtMs: nowMs, query }]);
    }
    return due;
  }

  // For an alert that does not fire. It is over once its rules were evaluated, after a restart with fresh samples, or were removed.
  #isOver({ labels: { alertname = '' }, notifiedMs }: NotifiedAlert, nowMs: number): boolean {
    const groups = [...this.#groups.values()].filter(({ alerts }) => alerts.includes(alertname));
    if (groups.some(({ isReported }) => !isReported)) return false;
    const startMs = this.#startMs ?? nowMs;
    if (groups.length === 0 || notifiedMs > startMs) return true;
    return nowMs - startMs >= this.#graceMs && !groups.some(({ unknown }) => unknown.includes(alertname));
  }

  #reportFull(left: number): void {
    if (left > 0 && !this.#isFull)
      this.#options.onError(`${left} alerts are not sent: ${maxAlerts} others fire.`);
    this.#isFull = left > 0;
  }
}

/** An alert in a notification. */
interface AlertNotice {
  readonly status: 'firing' | 'resolved';
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAtMs: number;
  readonly endsAtMs: number | undefined;
  readonly query: string;
}

/** The body of Alertmanager's webhook, version 4, for alerts of one name. */
function webhookBody(alertname: string, alerts: readonly AlertNotice[], externalUrl: string): object {
  return {
    version: '4',
    groupKey: `{}:{alertname=${JSON.stringify(alertname)}}`,
    truncatedAlerts: 0,
    status: alerts.some(({ status }) => status === 'firing') ? 'firing' : 'resolved',
    receiver: 'webhook',
    groupLabels: { alertname },
    commonLabels: common(alerts.map(({ labels }) => labels)),
    commonAnnotations: common(alerts.map(({ annotations }) => annotations)),
    externalURL: externalUrl,
    alerts: alerts.map(({ status, labels, annotations, startsAtMs, endsAtMs, query }) => ({
      status,
      labels,
      annotations,
      startsAt: new Date(startsAtMs).toISOString(),
      endsAt: endsAtMs === undefined ? '0001-01-01T00:00:00Z' : new Date(endsAtMs).toISOString(),
      generatorURL: `${externalUrl}/ui/explore?expr=${encodeURIComponent(query)}`,
      fingerprint: fingerprint(labels),
    })),
  };
}

function common(all: readonly Readonly<Record<string, string>>[]): Record<string, string> {
  const [first = {}, ...rest] = all;
  return Object.fromEntries(
    Object.entries(first).filter(([name, value]) => rest.every((other) => other[name] === value)),
  );
}

// Equal for equal labels. 16 hexadecimal digits as in Alertmanager, from another hash.
function fingerprint(labels: Readonly<Record<string, string>>): string {
  const text = JSON.stringify(Object.entries(labels).sort());
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
