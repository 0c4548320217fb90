import type { TokenEntry } from '../auth/tokens.ts';

/** `weir.config.json` as written: what {@link configSchema} lets through. */
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

export interface ListEntry extends EndpointEntry {
  readonly job: string;
  readonly interval?: string;
  readonly allow: readonly string[];
  readonly maxTargets?: number;
}

export interface EndpointEntry {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
}
