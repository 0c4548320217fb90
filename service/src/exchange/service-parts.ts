import type { BenchmarkRunner } from '../benchmarks/benchmark-runner.ts';
import type { Config, TargetConfig } from '../config/config.ts';
import type { GuardedClient } from '../network/guarded-client.ts';
import type { SelfMetrics } from '../own-metrics.ts';
import type { RemoteWriter } from './remote-writer.ts';
import type { RuleScheduler } from './rule-scheduler.ts';
import { FileDiscovery, HttpDiscovery } from './target-lists.ts';
import type { TargetPool } from './target-pool.ts';
import type { TargetRegistry } from './target-registry.ts';

interface ServicePartsOptions {
  /** The service's own, under which it scrapes itself. */
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

/** What runs by configuration and changes with it. */
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

  /** Brings every part in line with a configuration; what is unchanged goes on undisturbed. */
  async update(config: Config): Promise<void> {
    const { runner, rules, writer, client, onError } = this.#options;
    // First the readers of samples, then their sources: no sample is to pass a receiver by.
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

  /** Scrapes what the configuration, the watched directories, the asked lists and the registrations name by now. */
  updateTargets(): void {
    if (this.#config === undefined) return;
    const { metrics, url, registry } = this.#options;
    const { scrape, targets, registration } = this.#config;
    // Read in-process: the results of benchmarks belong into the store whatever the configuration names.
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

// Targets of one job, instance and labels would write the same series: the first has them, the configuration's before others.
function distinct(targets: readonly TargetConfig[]): TargetConfig[] {
  const found = new Map<string, TargetConfig>();
  for (const target of targets) {
    const key = JSON.stringify([target.job, target.url.host, Object.entries(target.labels).sort()]);
    if (!found.has(key)) found.set(key, target);
  }
  return [...found.values()];
}
