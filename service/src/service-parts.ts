import type { BenchmarkRunner } from './benchmarks/benchmark-runner.ts';
import type { Config, TargetConfig } from './config/config.ts';
import { FileDiscovery } from './discovery/file-discovery.ts';
import type { RemoteWriter } from './remote/remote-writer.ts';
import type { RuleScheduler } from './rules/rule-scheduler.ts';
import type { TargetPool } from './scrape/target-pool.ts';
import type { SelfMetrics } from './self-metrics.ts';

export interface ServicePartsOptions {
  /** The service's own, under which it scrapes itself. */
  readonly url: string;
  readonly targets: TargetPool;
  readonly runner: BenchmarkRunner;
  readonly rules: RuleScheduler;
  readonly writer: RemoteWriter;
  readonly metrics: SelfMetrics;
  readonly onError: (message: string) => void;
}

/** What runs by configuration and changes with it. */
export class ServiceParts {
  readonly #options: ServicePartsOptions;
  #discovery: FileDiscovery | undefined;

  constructor(options: ServicePartsOptions) {
    this.#options = Object.freeze({ ...options });
  }

  /** Brings every part in line with a configuration; what is unchanged goes on undisturbed. */
  async update(config: Config): Promise<void> {
    const { runner, rules, writer, onError } = this.#options;
    // First the readers of samples, then their sources: no sample is to pass a receiver by.
    await writer.update(config.remoteWrite);
    await rules.update(config.rules.groups, config.rules.webhook);
    this.#discovery?.close();
    this.#discovery = new FileDiscovery({
      directories: config.discovery,
      onTargets: (discovered) => this.#updateTargets(config, discovered),
      onError,
    });
    runner.update(config.benchmarks, config.load);
  }

  async stop(): Promise<void> {
    this.#discovery?.close();
    await Promise.all([this.#options.rules.stop(), this.#options.writer.stop()]);
  }

  #updateTargets({ scrape, targets }: Config, discovered: readonly TargetConfig[]): void {
    const { metrics, url } = this.#options;
    // Read in-process: the results of benchmarks belong into the store whatever the configuration names.
    const own: TargetConfig = { job: 'weir', url: new URL('/metrics', url), labels: {} };
    this.#options.targets.update(scrape, [...targets, ...discovered], {
      target: own,
      read: async () => ({
        body: new TextEncoder().encode(await metrics.render()),
        contentType: 'text/plain',
      }),
    });
  }
}
