/** `weir.config.json` as written: what {@link configSchema} lets through. */
export interface ConfigFile {
  readonly listen?: { readonly host?: string; readonly port?: number };
  readonly store?: {
    readonly path?: string;
    readonly retention?: string;
    readonly retentionSize?: string;
    readonly maxSeries?: number;
  };
  readonly scrape?: {
    readonly interval?: string;
    readonly timeout?: string;
    readonly maxBodyBytes?: number;
    readonly maxSamples?: number;
    readonly maxLabels?: number;
    readonly maxLabelValueLength?: number;
  };
  readonly targets: readonly {
    readonly job: string;
    readonly url: string;
    readonly labels?: Readonly<Record<string, string>>;
  }[];
  readonly benchmarks?: readonly { readonly name: string; readonly file: string }[];
}

/** The configuration with defaults filled in, durations in milliseconds and paths absolute. */
export interface Config {
  /** The file it came from. */
  readonly path: string;
  readonly listen: { readonly host: string; readonly port: number };
  readonly store: {
    readonly path: string;
    readonly retentionMs: number;
    readonly retentionBytes: number | undefined;
    readonly maxSeries: number;
  };
  readonly scrape: ScrapeConfig;
  readonly targets: readonly TargetConfig[];
  readonly benchmarks: readonly BenchmarkConfig[];
}

export interface ScrapeConfig {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly maxBodyBytes: number;
  readonly maxSamples: number;
  readonly maxLabels: number;
  readonly maxLabelValueLength: number;
}

export interface TargetConfig {
  readonly job: string;
  readonly url: URL;
  /** Without `job` and `instance`. */
  readonly labels: Readonly<Record<string, string>>;
}

export interface BenchmarkConfig {
  readonly name: string;
  /** Absolute path of the scenario. */
  readonly file: string;
}
