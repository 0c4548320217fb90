import { appendFileSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { messageOf } from '../errors.ts';

interface AuditEntry {
  /** Name of the token, `anonymous` or `local`. */
  readonly caller: string;
  readonly address: string;
  /** Such as `benchmark.start`. */
  readonly action: string;
  /** At most 300 characters are kept. */
  readonly subject: string;
  readonly outcome: string;
}

interface AuditLogOptions {
  readonly path: string;
  readonly now: () => number;
  /**
   * Size in bytes at which the file is renamed to `<path>.1` and a new one begins.
   * @defaultValue 16_777_216
   */
  readonly maxBytes?: number;
  /** Called for the first of several lines in a row that could not be written. */
  readonly onError: (message: string) => void;
}

/** Renamed files that are kept. */
const keptFiles = 4;
const maxSubjectLength = 300;

/**
 * Who started, ended, pushed or registered what: one line of JSON each, in the file before the request is answered. The file
 * and four older ones are kept, 80 MiB in all.
 */
export class AuditLog {
  readonly #options: AuditLogOptions;
  readonly #maxBytes: number;
  #bytes: number;
  #isFailing = false;

  constructor(options: AuditLogOptions) {
    this.#options = Object.freeze({ ...options });
    this.#maxBytes = options.maxBytes ?? 16_777_216;
    mkdirSync(dirname(options.path), { recursive: true });
    this.#bytes = this.#size();
  }

  /** Never throws: a full disk must not keep anyone from ending a benchmark. */
  write({ subject, ...entry }: AuditEntry): void {
    const { path, now, onError } = this.#options;
    const time = new Date(now()).toISOString();
    const line = `${JSON.stringify({ time, ...entry, subject: subject.slice(0, maxSubjectLength) })}\n`;
    try {
      if (this.#bytes + line.length > this.#maxBytes) this.#rotate();
      appendFileSync(path, line, { mode: 0o600 });
      this.#bytes += Buffer.byteLength(line);
      this.#isFailing = false;
    } catch (thrown) {
      if (!this.#isFailing) onError(`${entry.action} by ${entry.caller} not written: ${messageOf(thrown)}`);
      this.#isFailing = true;
    }
  }

  #rotate(): void {
    const { path } = this.#options;
    // Something else may have moved the file away.
    this.#bytes = this.#size();
    if (this.#bytes === 0) return;
    for (let at = keptFiles; at > 0; at--) {
      const from = at === 1 ? path : `${path}.${at - 1}`;
      if (statSync(from, { throwIfNoEntry: false }) !== undefined) renameSync(from, `${path}.${at}`);
    }
    this.#bytes = 0;
  }

  #size(): number {
    return statSync(this.#options.path, { throwIfNoEntry: false })?.size ?? 0;
  }
}
