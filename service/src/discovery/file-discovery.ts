import { type FSWatcher, readdirSync, readFileSync, watch } from 'node:fs';
import { join } from 'node:path';
import { parse as parseYaml } from 'yaml';
import type { DiscoveryConfig, TargetConfig } from '../config/config.ts';
import { messageOf } from '../errors.ts';
import { readTargetGroups } from './target-groups.ts';

export interface FileDiscoveryOptions {
  readonly directories: readonly DiscoveryConfig[];
  /** Called with all targets, first at once and then after every change of them. */
  readonly onTargets: (targets: readonly TargetConfig[]) => void;
  readonly onError: (message: string) => void;
  /** How often the directories are read even if no change is told: some file systems tell none [30,000]. */
  readonly pollMs?: number;
}

const settleMs = 50;

/**
 * Watches directories of target lists in the format of Prometheus' `file_sd`: files `*.json`, `*.yml`, `*.yaml` holding
 * `[{ "targets": ["host:port"], "labels": {} }]`. A file that cannot be read keeps the targets it had.
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
        // A file is often written in several steps.
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

/** The targets of one file. What is wrong goes to `mistakes`, a line each. */
export function readTargetFile(path: string, discovery: DiscoveryConfig, mistakes: string[]): TargetConfig[] {
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
