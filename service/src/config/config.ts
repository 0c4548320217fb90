import type { TokenEntry } from '../auth/tokens.ts';
import type { AllowList } from '../network/address-policy.ts';
import type { RuleGroup } from '../rules/rule-state.ts';

/** The configuration with defaults applied, durations in milliseconds and absolute paths. Frozen. */
export interface Config {
  /** The file it came from. */
  readonly path: string;
  readonly listen: {
    readonly host: string;
    readonly port: number;
    /** Lower case. */
    readonly allowedHosts: readonly string[];
  };
  readonly auth: { readonly tokens: readonly TokenEntry[]; readonly anonymous: 'none' | 'read' };
  readonly store: {
    readonly path: string;
    readonly retentionMs: number;
    readonly retentionBytes: number | undefined;
    /** Bytes of the backlog of remote write. */
    readonly backlogBytes: number;
    readonly maxSeries: number;
  };
  readonly scrape: ScrapeConfig;
  readonly targets: readonly TargetConfig[];
  readonly discovery: readonly DiscoveryConfig[];
  readonly httpDiscovery: readonly HttpDiscoveryConfig[];
  readonly registration: RegistrationConfig;
  readonly push: { readonly enabled: boolean; readonly expiryMs: number };
  readonly rules: {
    readonly groups: readonly RuleGroup[];
    readonly webhook: URL | undefined;
    readonly externalUrl: string | undefined;
  };
  readonly remoteWrite: readonly EndpointConfig[];
  readonly backend: EndpointConfig | undefined;
  readonly load: LoadConfig;
  readonly benchmarks: readonly BenchmarkConfig[];
  /** For the web page; `traceUrl` holds `{traceId}`. */
  readonly page: { readonly traceUrl: string | undefined };
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
  /** For targets that the configuration does not name itself: the addresses that they may have. */
  readonly allow?: AllowList;
}

export interface DiscoveryConfig {
  readonly job: string;
  readonly directory: string;
  readonly scheme: 'http' | 'https';
  readonly path: string;
}

/** A list of targets that is fetched over HTTP (Prometheus’ `http_sd`). */
export interface HttpDiscoveryConfig extends EndpointConfig {
  readonly job: string;
  readonly intervalMs: number;
  /** The addresses that its targets may have. */
  readonly allow: AllowList;
  readonly maxTargets: number;
}

/** Registration of targets by themselves. Off while `allow` is empty. */
interface RegistrationConfig {
  readonly allow: AllowList;
  readonly maxTargets: number;
  readonly ttlMs: number;
  readonly maxTtlMs: number;
}

export interface EndpointConfig {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
}

export interface LoadConfig {
  readonly enabled: boolean;
  readonly allow: readonly string[];
  readonly maxConnections: number;
  readonly maxDurationMs: number;
}

export interface BenchmarkConfig {
  readonly name: string;
  /** Absolute path of the scenario. */
  readonly file: string;
  /** The configuration's directory, in which commands run and builds are found. */
  readonly directory: string;
  /** Cron expression, in local time. */
  readonly schedule: string | undefined;
  /** The builds that a run with `{ "profile": true }` compares. */
  readonly profile: BenchmarkProfileConfig | undefined;
}

export interface BenchmarkProfileConfig {
  readonly base: string;
  readonly head: string;
  /** Command that runs a build in its directory; replaces the scenario's `start`. */
  readonly start: string | undefined;
  /** Duets of fresh processes. */
  readonly rounds: number;
}

/** `weir.config.json` as written, valid by {@link configSchema}. */
export interface ConfigFile {
  readonly listen?: {
    readonly host?: string;
    readonly port?: number;
    readonly allowedHosts?: readonly string[];
  };
  readonly auth?: { readonly tokens?: readonly TokenEntry[]; readonly anonymous?: 'none' | 'read' };
  readonly store?: {
    readonly path?: string;
    readonly retention?: string;
    readonly retentionSize?: string;
    readonly backlogSize?: string;
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
  readonly targets: readonly TargetEntry[];
  readonly discovery?: readonly (DirectoryEntry | ListEntry)[];
  readonly registration?: {
    readonly allow?: readonly string[];
    readonly maxTargets?: number;
    readonly ttl?: string;
    readonly maxTtl?: string;
  };
  readonly push?: { readonly enabled?: boolean; readonly expiry?: string };
  readonly rules?: {
    readonly files?: readonly string[];
    readonly interval?: string;
    readonly webhook?: string;
    readonly externalUrl?: string;
  };
  readonly remoteWrite?: readonly EndpointEntry[];
  readonly backend?: EndpointEntry;
  readonly load?: {
    readonly enabled?: boolean;
    readonly allow?: readonly string[];
    readonly maxConnections?: number;
    readonly maxDuration?: string;
  };
  readonly benchmarks?: readonly {
    readonly name: string;
    readonly file: string;
    readonly schedule?: string;
    readonly profile?: {
      readonly start?: string;
      readonly base?: string;
      readonly head?: string;
      readonly rounds?: number;
    };
  }[];
  readonly page?: { readonly traceUrl?: string };
}

export interface TargetEntry {
  readonly job: string;
  readonly url: string;
  readonly labels?: Readonly<Record<string, string>>;
}

interface DirectoryEntry {
  readonly job: string;
  readonly directory: string;
  readonly scheme?: 'http' | 'https';
  readonly path?: string;
}

interface ListEntry extends EndpointEntry {
  readonly job: string;
  readonly interval?: string;
  readonly allow: readonly string[];
  readonly maxTargets?: number;
}

export interface EndpointEntry {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
}
