import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { messageOf } from '../errors.ts';
import type { FiringAlert } from '../rules/rule-state.ts';

/** An alert that the receiver knows to fire and not yet to be resolved. */
export interface NotifiedAlert extends FiringAlert {
  /** When the receiver was last notified of it, in Unix milliseconds. */
  readonly notifiedMs: number;
}

/**
 * The alerts that the receiver knows to fire, kept in a file, so that a restarted service still sends their resolution. The file
 * identifies the receiver by a hash, because its URL may hold a secret.
 */
export class NotifiedAlerts {
  readonly #path: string;
  readonly #onError: (message: string) => void;
  #receiver: string | undefined;
  readonly #alerts = new Map<string, NotifiedAlert>();

  constructor(path: string, onError: (message: string) => void) {
    this.#path = path;
    this.#onError = onError;
  }

  /** Sets the receiver. Only the receiver named in the file knows alerts already; any other starts with none. */
  setReceiver(url: URL | undefined): void {
    const receiver = url === undefined ? '' : createHash('sha256').update(url.href).digest('hex');
    if (receiver === this.#receiver) return;
    const isFirst = this.#receiver === undefined;
    const known = isFirst ? this.#read(receiver) : [];
    this.#receiver = receiver;
    this.#alerts.clear();
    for (const alert of known) this.#alerts.set(alert.id, alert);
    if (!isFirst) this.save();
  }

  get size(): number {
    return this.#alerts.size;
  }

  get(id: string): NotifiedAlert | undefined {
    return this.#alerts.get(id);
  }

  all(): NotifiedAlert[] {
    return [...this.#alerts.values()];
  }

  /** Adds an alert; the next `save` writes it. */
  put(alert: NotifiedAlert): void {
    this.#alerts.set(alert.id, alert);
  }

  /** Removes an alert; the next `save` writes that. */
  delete(id: string): void {
    this.#alerts.delete(id);
  }

  // If a crash or a full disk loses a save, an alert is notified again or its resolution is not sent.
  save(): void {
    try {
      mkdirSync(dirname(this.#path), { recursive: true });
      const content = JSON.stringify({ receiver: this.#receiver, alerts: this.all() });
      writeFileSync(`${this.#path}.new`, content, { mode: 0o600 });
      renameSync(`${this.#path}.new`, this.#path);
    } catch (thrown) {
      this.#onError(`the notified alerts cannot be written: ${messageOf(thrown)}`);
    }
  }

  #read(receiver: string): NotifiedAlert[] {
    try {
      const content = JSON.parse(readFileSync(this.#path, 'utf8')) as Record<string, unknown> | null;
      if (content?.receiver !== receiver || !Array.isArray(content.alerts)) return [];
      return content.alerts.filter(isNotifiedAlert);
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT')
        this.#onError('the notified alerts cannot be read; firing alerts are sent again');
      return [];
    }
  }
}

function isNotifiedAlert(value: unknown): value is NotifiedAlert {
  const { id, labels, annotations, startsAtMs, query, notifiedMs } = (value ?? {}) as Partial<NotifiedAlert>;
  return (
    [id, query].every((text) => typeof text === 'string') &&
    [startsAtMs, notifiedMs].every((time) => Number.isFinite(time) && Math.abs(time as number) <= 8.64e15) &&
    [labels, annotations].every((texts) => typeof texts === 'object' && texts !== null)
  );
}
