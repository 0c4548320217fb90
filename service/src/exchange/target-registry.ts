import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { TargetConfig } from '../config/config.ts';
import type { AllowList } from '../network/address-policy.ts';

/** A target that announced itself, as the API shows it. */
export interface Registration {
  readonly id: string;
  readonly job: string;
  readonly url: string;
  readonly labels: Readonly<Record<string, string>>;
  /** ISO 8601. */
  readonly expiresAt: string;
  /** Name of the token. */
  readonly registeredBy: string;
}

interface TargetRegistryOptions {
  /** A JSON file, replaced as a whole with every change, so that registrations survive a restart. */
  readonly path: string;
  readonly now: () => number;
  /** Called after every change of the targets, but not after renewals. */
  readonly onChange: () => void;
  /** Called when the file cannot be read or written. */
  readonly onError: (message: string) => void;
}

/** Targets that register themselves over HTTP and expire unless they renew. The caller checks who may register. */
export class TargetRegistry {
  readonly #options: TargetRegistryOptions;
  readonly #entries = new Map<string, Registration>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: TargetRegistryOptions) {
    this.#options = Object.freeze({ ...options });
    for (const entry of this.#read()) this.#entries.set(entry.id, entry);
    this.#expire();
  }

  get size(): number {
    return this.#entries.size;
  }

  list(): Registration[] {
    return [...this.#entries.values()];
  }

  get(id: string): Registration | undefined {
    return this.#entries.get(id);
  }

  /** The targets to scrape, restricted to the current `allow`, whatever was allowed at registration. */
  targets(allow: AllowList): TargetConfig[] {
    return this.list().map(({ job, url, labels }) => ({ job, url: new URL(url), labels, allow }));
  }

  /** Adds or renews a registration, which is identified by job, URL and labels. */
  put(target: TargetConfig, ttlMs: number, caller: string): { entry: Registration; isNew: boolean } {
    const id = registrationId(target);
    const known = this.#entries.get(id);
    const entry: Registration = {
      id,
      job: target.job,
      url: target.url.href,
      labels: target.labels,
      expiresAt: new Date(this.#options.now() + ttlMs).toISOString(),
      registeredBy: known?.registeredBy ?? caller,
    };
    this.#entries.set(id, entry);
    this.#save();
    this.#expire();
    if (known === undefined) this.#options.onChange();
    return { entry, isNew: known === undefined };
  }

  renew(id: string, ttlMs: number): Registration | undefined {
    const known = this.#entries.get(id);
    if (known === undefined) return undefined;
    const entry = { ...known, expiresAt: new Date(this.#options.now() + ttlMs).toISOString() };
    this.#entries.set(id, entry);
    this.#save();
    this.#expire();
    return entry;
  }

  delete(id: string): boolean {
    if (!this.#entries.delete(id)) return false;
    this.#save();
    this.#options.onChange();
    return true;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** Drops expired registrations and sets the timer for the next expiry. */
  #expire(): void {
    clearTimeout(this.#timer);
    const nowMs = this.#options.now();
    let nextMs = Number.POSITIVE_INFINITY;
    let gone = 0;
    for (const { id, expiresAt } of this.#entries.values()) {
      const atMs = Date.parse(expiresAt);
      if (atMs > nowMs) nextMs = Math.min(nextMs, atMs);
      else if (this.#entries.delete(id)) gone++;
    }
    if (nextMs < Number.POSITIVE_INFINITY)
      this.#timer = setTimeout(() => this.#expire(), Math.min(nextMs - nowMs + 1, 2 ** 31 - 1)).unref();
    if (gone === 0) return;
    this.#save();
    this.#options.onChange();
  }

  #read(): Registration[] {
    try {
      return (JSON.parse(readFileSync(this.#options.path, 'utf8')) as unknown[]).filter(isRegistration);
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT')
        this.#options.onError('registrations cannot be read; targets have to register again');
      return [];
    }
  }

  // If a crash or a full disk loses a renewal, the target's next renewal repairs that.
  #save(): void {
    const { path, onError } = this.#options;
    try {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(`${path}.new`, JSON.stringify(this.list()), { mode: 0o600 });
      renameSync(`${path}.new`, path);
    } catch (thrown) {
      onError(`registrations cannot be written: ${(thrown as Error).message}`);
    }
  }
}

/** 32 hexadecimal digits that follow from job, URL and labels. */
export function registrationId({ job, url, labels }: TargetConfig): string {
  const text = JSON.stringify([job, url.href, Object.entries(labels).sort()]);
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

function isRegistration(value: unknown): value is Registration {
  const entry = value as Partial<Registration> | null;
  return (
    [entry?.id, entry?.job, entry?.url, entry?.expiresAt, entry?.registeredBy].every(
      (text) => typeof text === 'string',
    ) &&
    URL.canParse(entry?.url ?? '') &&
    typeof entry?.labels === 'object'
  );
}
