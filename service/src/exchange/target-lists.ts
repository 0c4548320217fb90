import { type FSWatcher, readdirSync, readFileSync, watch } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { readTarget } from '../config/build-config.ts';
import type { DiscoveryConfig, HttpDiscoveryConfig, TargetConfig } from '../config/config.ts';
import { messageOf, ServiceError } from '../errors.ts';
import { isForbidden } from '../network/address-policy.ts';
import { type GuardedClient, hostOf } from '../network/guarded-client.ts';

interface FileDiscoveryOptions {
  readonly directories: readonly DiscoveryConfig[];
  /** Called with all targets: at once, and after every change. */
  readonly onTargets: (targets: readonly TargetConfig[]) => void;
  readonly onError: (message: string) => void;
  /**
   * Milliseconds between two reads without a change event, which some file systems do not send.
   * @defaultValue 30,000
   */
  readonly pollMs?: number;
}

const settleMs = 50;

/**
 * Watches directories of target lists in the format of Prometheus' `file_sd`: files `*.json`, `*.yml`, `*.yaml` with
 * `[{ "targets": ["host:port"], "labels": {} }]`. While a file cannot be read, its last targets are kept.
 */
export class FileDiscovery {
  readonly #options: FileDiscoveryOptions;
  readonly #watchers: FSWatcher[] = [];
  readonly #known = new Map<string, readonly TargetConfig[]>();
  readonly #poll: NodeJS.Timeout | undefined;
  #settle: NodeJS.Timeout | undefined;
  #last: string | undefined;

  constructor(options: FileDiscoveryOptions) {
    this.#options = Object.freeze({ ...options });
    this.#read();
    if (options.directories.length === 0) return;
    for (const { directory } of options.directories) this.#watch(directory);
    this.#poll = setInterval(() => this.#read(), options.pollMs ?? 30_000).unref();
  }

  close(): void {
    clearInterval(this.#poll);
    clearTimeout(this.#settle);
    for (const watcher of this.#watchers) watcher.close();
  }

  #watch(directory: string): void {
    try {
      const watcher = watch(directory, () => {
        // Programs often write a file in several steps.
        clearTimeout(this.#settle);
        this.#settle = setTimeout(() => this.#read(), settleMs).unref();
      });
      watcher.on('error', (error) => this.#options.onError(`${directory}: ${messageOf(error)}`));
      this.#watchers.push(watcher);
    } catch (thrown) {
      this.#options.onError(`${directory}: ${messageOf(thrown)}`);
    }
  }

  #read(): void {
    const targets: TargetConfig[] = [];
    const present = new Set<string>();
    for (const discovery of this.#options.directories)
      for (const file of this.#list(discovery.directory)) {
        const path = join(discovery.directory, file);
        present.add(path);
        const mistakes: string[] = [];
        const found = readTargetFile(path, discovery, mistakes);
        for (const mistake of mistakes) this.#options.onError(`${path}: ${mistake}`);
        if (mistakes.length === 0) this.#known.set(path, found);
        targets.push(...(this.#known.get(path) ?? []));
      }
    for (const path of this.#known.keys()) if (!present.has(path)) this.#known.delete(path);
    const text = JSON.stringify(targets);
    if (text === this.#last) return;
    this.#last = text;
    this.#options.onTargets(targets);
  }

  #list(directory: string): string[] {
    try {
      return readdirSync(directory)
        .filter((name) => /\.(json|ya?ml)$/.test(name))
        .sort();
    } catch (thrown) {
      this.#options.onError(`${directory}: ${messageOf(thrown)}`);
      return [];
    }
  }
}

/** The targets of one file. Adds a line to `mistakes` for each error. */
function readTargetFile(path: string, discovery: DiscoveryConfig, mistakes: string[]): TargetConfig[] {
  let content: unknown;
  try {
    // JSON is YAML.
    content = parseYaml(readFileSync(path, 'utf8'), { maxAliasCount: 100, logLevel: 'error' });
  } catch (thrown) {
    mistakes.push(messageOf(thrown));
    return [];
  }
  return readTargetGroups(content, discovery, mistakes);
}

interface HttpDiscoveryOptions {
  readonly lists: readonly HttpDiscoveryConfig[];
  readonly client: GuardedClient;
  /** Called with all targets after every change. */
  readonly onTargets: (targets: readonly TargetConfig[]) => void;
  readonly onError: (message: string) => void;
}

const timeoutMs = 10_000;
const maxBodyBytes = 4_194_304;

/**
 * Fetches target lists from URLs, in the format of Prometheus' `http_sd`. While a list cannot be read, its last targets are kept. Its
 * targets are scraped only where its `allow` permits; that is checked again at every connection.
 */
export class HttpDiscovery {
  readonly #options: HttpDiscoveryOptions;
  readonly #abort = new AbortController();
  readonly #known: (readonly TargetConfig[])[];
  readonly #timers: NodeJS.Timeout[];
  readonly #reported = new Map<number, string>();
  #last = '[]';

  constructor(options: HttpDiscoveryOptions) {
    this.#options = Object.freeze({ ...options });
    this.#known = options.lists.map(() => []);
    this.#timers = options.lists.map(({ intervalMs }, at) =>
      setInterval(() => void this.#refresh(at), intervalMs).unref(),
    );
    options.lists.forEach((_list, at) => void this.#refresh(at));
  }

  close(): void {
    this.#abort.abort();
    for (const timer of this.#timers) clearInterval(timer);
  }

  async #refresh(at: number): Promise<void> {
    const list = this.#options.lists[at] as HttpDiscoveryConfig;
    const mistakes: string[] = [];
    try {
      this.#known[at] = bounded(await this.#fetch(list, mistakes), list, mistakes);
    } catch (thrown) {
      mistakes.push(messageOf(thrown));
    }
    if (this.#abort.signal.aborted) return;
    this.#report(at, list, mistakes);
    const targets = this.#known.flat();
    const text = JSON.stringify(targets);
    if (text === this.#last) return;
    this.#last = text;
    this.#options.onTargets(targets);
  }

  async #fetch(list: HttpDiscoveryConfig, mistakes: string[]): Promise<TargetConfig[]> {
    const response = await this.#options.client.request(list.url, {
      signal: AbortSignal.any([this.#abort.signal, AbortSignal.timeout(timeoutMs)]),
      headers: {
        ...list.headers,
        accept: 'application/json',
        'x-prometheus-refresh-interval-seconds': String(list.intervalMs / 1000),
      },
    });
    if (response.statusCode !== 200) {
      response.resume();
      throw failure(`answered ${response.statusCode}`);
    }
    const parts: Buffer[] = [];
    let size = 0;
    for await (const part of response as AsyncIterable<Buffer>) {
      size += part.length;
      if (size > maxBodyBytes) throw failure(`answered more than ${maxBodyBytes} bytes`);
      parts.push(part);
    }
    const content: unknown = JSON.parse(Buffer.concat(parts).toString('utf8'));
    const found = readTargetGroups(content, { job: list.job, scheme: 'http', path: '/metrics' }, mistakes);
    if (!Array.isArray(content)) throw failure('answered something that is not a list');
    return found;
  }

  // Repeated failures with the same reason are logged once.
  #report(at: number, list: HttpDiscoveryConfig, mistakes: readonly string[]): void {
    const text = mistakes.join('; ');
    if (text !== '' && text !== this.#reported.get(at))
      this.#options.onError(`${list.url.origin}${list.url.pathname}: ${text}`);
    this.#reported.set(at, text);
  }
}

function bounded(
  found: readonly TargetConfig[],
  { allow, maxTargets }: HttpDiscoveryConfig,
  mistakes: string[],
): TargetConfig[] {
  if (found.length > maxTargets)
    mistakes.push(`${found.length} targets, of which the first ${maxTargets} are scraped (\`maxTargets\`)`);
  return found.slice(0, maxTargets).flatMap((target) => {
    const { host, port } = hostOf(target.url);
    // Addresses behind a name are checked at each connection.
    if (isIP(host) !== 0 && (isForbidden(host) || !allow.allows(host, port, host))) {
      mistakes.push(`${target.url.host} is not in \`allow\``);
      return [];
    }
    return { ...target, allow };
  });
}

function failure(reason: string): ServiceError {
  return new ServiceError('ERR_WEIR_SERVICE_DISCOVERY', reason);
}

interface TargetGroupDefaults {
  /** For groups without a label `job`. */
  readonly job: string;
  readonly scheme: 'http' | 'https';
  readonly path: string;
}

/**
 * The targets of a list in the format of Prometheus' `file_sd` and `http_sd`: `[{ "targets": ["host:port"], "labels": {} }]`. The
 * labels `job`, `__scheme__` and `__metrics_path__` win over the defaults; other labels that begin with `__` are dropped. Adds a line
 * to `mistakes` for each error.
 */
export function readTargetGroups(
  content: unknown,
  defaults: TargetGroupDefaults,
  mistakes: string[],
): TargetConfig[] {
  if (!Array.isArray(content)) {
    mistakes.push('expected a list of { targets, labels }.');
    return [];
  }
  return content.flatMap((group: { targets?: unknown; labels?: unknown } | null, at) => {
    if (!Array.isArray(group?.targets)) {
      mistakes.push(`[${at}]: expected \`targets\` to be a list.`);
      return [];
    }
    const given = Object.entries((group.labels ?? {}) as object).map(([name, value]): [string, string] => [
      name,
      String(value),
    ]);
    const all = new Map(given);
    const wrong = given.find(([name]) => !/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name));
    if (wrong !== undefined) {
      mistakes.push(`[${at}].labels: ${JSON.stringify(wrong[0])} is not a label name.`);
      return [];
    }
    const labels = Object.fromEntries(given.filter(([name]) => !name.startsWith('__') && name !== 'job'));
    const job = all.get('job') ?? defaults.job;
    const scheme = all.get('__scheme__') ?? defaults.scheme;
    const path = all.get('__metrics_path__') ?? defaults.path;
    return group.targets.flatMap((address: unknown, index) => {
      const where = `[${at}].targets[${index}]`;
      if (typeof address !== 'string' || !/^[^/\s@?#]+$/.test(address)) {
        mistakes.push(`${where}: expected host:port, got ${JSON.stringify(address)}.`);
        return [];
      }
      const url = `${scheme}://${address}${path.startsWith('/') ? '' : '/'}${path}`;
      return readTarget({ job, url, labels }, where, mistakes) ?? [];
    });
  });
}
