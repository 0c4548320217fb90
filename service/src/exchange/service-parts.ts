import type { BenchmarkRunner } from '../benchmarks/benchmark-runner.ts';
import type { Config, TargetConfig } from '../config/config.ts';
import type { GuardedClient } from '../network/guarded-client.ts';
import type { SelfMetrics } from './own-metrics.ts';
import type { RemoteWriter } from './remote-writer.ts';
import type { RuleScheduler } from './rule-scheduler.ts';
import { FileDiscovery, HttpDiscovery } from './target-lists.ts';
import type { TargetPool } from './target-pool.ts';
import type { TargetRegistry } from './target-registry.ts';

interface ServicePartsOptions {
  /** The service's own URL, the instance under which it scrapes itself. */
  readonly url: string;
  readonly targets: TargetPool;
  readonly runner: BenchmarkRunner;
  readonly rules: RuleScheduler;
  readonly writer: RemoteWriter;
  readonly metrics: SelfMetrics;
  readonly registry: TargetRegistry;
  readonly client: GuardedClient;
  readonly onError: (message: string) => void;
}

/** The parts that a reload of the configuration changes: scraping, discovery, rules, remote write and benchmarks. */
export class ServiceParts {
  readonly #options: ServicePartsOptions;
  #files: FileDiscovery | undefined;
  #lists: HttpDiscovery | undefined;
  #inFiles: readonly TargetConfig[] = [];
  #inLists: readonly TargetConfig[] = [];
  #config: Config | undefined;

  constructor(options: ServicePartsOptions) {
    this.#options = Object.freeze({ ...options });
  }

  /** Applies a configuration to every part. Unchanged targets and rules continue without a gap. */
  async update(config: Config): Promise<void> {
    const { runner, rules, writer, client, onError } = this.#options;
    // Receivers of samples first, then their sources, so that no receiver misses a sample.
    await writer.update(config.remoteWrite);
    await rules.update(config.rules.groups, config.rules.webhook, config.scrape.intervalMs);
    const isKept = JSON.stringify(config.httpDiscovery) === JSON.stringify(this.#config?.httpDiscovery);
    this.#config = config;
    if (!isKept) this.#inLists = [];
    this.#lists?.close();
    this.#files?.close();
    this.#files = new FileDiscovery({
      directories: config.discovery,
      onTargets: (found) => {
        this.#inFiles = found;
        this.updateTargets();
      },
      onError,
    });
    this.#lists = new HttpDiscovery({
      lists: config.httpDiscovery,
      client,
      onTargets: (found) => {
        this.#inLists = found;
        this.updateTargets();
      },
      onError,
    });
    runner.update(config.benchmarks, config.load);
  }

  async stop(): Promise<void> {
    this.#files?.close();
    this.#lists?.close();
    await Promise.all([this.#options.rules.stop(), this.#options.writer.stop()]);
  }

  /** Scrapes the current targets of the configuration, of file and HTTP discovery, and of registrations. */
  updateTargets(): void {
    if (this.#config === undefined) return;
    const { metrics, url, registry } = this.#options;
    const { scrape, targets, registration } = this.#config;
    // Read in-process, so that results of benchmarks are stored whatever targets the configuration names.
    const own: TargetConfig = { job: 'weir', url: new URL('/metrics', url), labels: {} };
    const registered = registration.allow.isEmpty ? [] : registry.targets(registration.allow);
    const all = distinct([own, ...targets, ...this.#inFiles, ...this.#inLists, ...registered]);
    this.#options.targets.update(
      scrape,
      all.filter((target) => target !== own),
      {
        target: own,
        read: async () => {
          const { body, contentType } = await metrics.render('text/plain');
          return { body: new TextEncoder().encode(String(body)), contentType };
        },
      },
    );
  }
}

// Targets with equal job, instance and labels would write the same series. The first one is kept: the configuration's before others.
function distinct(targets: readonly TargetConfig[]): TargetConfig[] {
  const found = new Map<string, TargetConfig>();
  for (const target of targets) {
    const key = JSON.stringify([target.job, target.url.host, Object.entries(target.labels).sort()]);
    if (!found.has(key)) found.set(key, target);
  }
  return [...found.values()];
}
