import { appendFileSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

export interface AuditEntry {
  /** Name of the token, `anonymous` or `local`. */
  readonly caller: string;
  readonly address: string;
  /** Such as `benchmark.start`. */
  readonly action: string;
  readonly subject: string;
  readonly outcome: string;
}

/** Who started, ended or pushed what: one line of JSON each, on disk before the request is answered. */
export class AuditLog {
  readonly #path: string;
  readonly #now: () => number;

  constructor(path: string, now: () => number) {
    this.#path = path;
    this.#now = now;
    mkdirSync(dirname(path), { recursive: true });
  }

  /** Never throws: a full disk must not keep anyone from ending a benchmark. Returns whether the line was written. */
  write(entry: AuditEntry): boolean {
    const line = `${JSON.stringify({ time: new Date(this.#now()).toISOString(), ...entry })}\n`;
    try {
      appendFileSync(this.#path, line, { mode: 0o600 });
      return true;
    } catch {
      return false;
    }
  }
}
