import { existsSync } from 'node:fs';
import { isIP } from 'node:net';
import { dirname, resolve } from 'node:path';
import { Cron } from 'croner';
import { messageOf } from '../errors.ts';
import { AllowList, explainAllowEntry, isLoopback } from '../network/address-policy.ts';
import type {
  Config,
  ConfigFile,
  EndpointConfig,
  EndpointEntry,
  ScrapeConfig,
  TargetConfig,
  TargetEntry,
} from './config.ts';
import { parseDuration, parseSize } from './duration.ts';
import { readRuleFile } from './rule-file.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Applies defaults and checks what the schema cannot. Adds a line to `mistakes` for each error. */
export function buildConfig(
  file: string,
  raw: ConfigFile,
  environment: Environment,
  mistakes: string[],
): Config {
  const directory = dirname(file);
  const duration = durationReader(mistakes);
  const { retentionSize, backlogSize } = raw.store ?? {};
  const retentionBytes = retentionSize === undefined ? undefined : parseSize(retentionSize);
  const config: Config = {
    path: file,
    listen: {
      host: raw.listen?.host ?? '127.0.0.1',
      port: readPort(environment.PORT, mistakes) ?? raw.listen?.port ?? 4040,
      allowedHosts: (raw.listen?.allowedHosts ?? []).map((name) => name.toLowerCase()),
    },
    auth: { tokens: raw.auth?.tokens ?? [], anonymous: raw.auth?.anonymous ?? 'none' },
    store: {
      path: resolve(directory, raw.store?.path ?? '.weir/data'),
      retentionMs: duration(raw.store?.retention, '15d', 'store.retention'),
      retentionBytes,
      backlogBytes: parseSize(backlogSize ?? '') ?? Math.min(1e9, retentionBytes ?? 1e9),
      maxSeries: raw.store?.maxSeries ?? 1_000_000,
    },
    scrape: buildScrape(raw.scrape, mistakes),
    targets: raw.targets.flatMap((target, at) => readTarget(target, `targets[${at}]`, mistakes) ?? []),
    ...buildDiscovery(raw, directory, mistakes),
    push: {
      enabled: raw.push?.enabled ?? true,
      expiryMs: duration(raw.push?.expiry, '5m', 'push.expiry'),
    },
    rules: buildRules(raw.rules, directory, mistakes),
    remoteWrite: (raw.remoteWrite ?? []).flatMap(
      (entry, at) => readEndpoint(entry, `remoteWrite[${at}]`, mistakes) ?? [],
    ),
    backend: raw.backend === undefined ? undefined : readEndpoint(raw.backend, 'backend', mistakes),
    load: {
      enabled: raw.load?.enabled ?? true,
      allow: readAllow(raw.load?.allow, 'load.allow', mistakes),
      maxConnections: raw.load?.maxConnections ?? 1_000,
      maxDurationMs: duration(raw.load?.maxDuration, '15m', 'load.maxDuration'),
    },
    benchmarks: (raw.benchmarks ?? []).map(({ name, file: scenario, schedule, profile }) => ({
      name,
      file: resolve(directory, scenario),
      directory,
      schedule,
      profile: profile && {
        start: profile.start,
        base: buildOf(profile.base, directory),
        head: buildOf(profile.head, directory),
        rounds: profile.rounds ?? 3,
      },
    })),
    page: { traceUrl: readTraceUrl(raw.page?.traceUrl, mistakes) },
  };
  checkTargets(config, mistakes);
  checkRemoteWrite(raw.remoteWrite, mistakes);
  checkBenchmarks(config, mistakes);
  checkListen(config, mistakes);
  return config;
}

function durationReader(mistakes: string[]) {
  return (text: string | undefined, fallback: string, at: string): number => {
    const value = parseDuration(text ?? fallback) ?? 0;
    if (value <= 0) mistakes.push(`${at}: expected a duration above 0, got ${brief(text)}.`);
    return value;
  };
}

function buildScrape(raw: ConfigFile['scrape'], mistakes: string[]): ScrapeConfig {
  const duration = durationReader(mistakes);
  const intervalMs = duration(raw?.interval, '5s', 'scrape.interval');
  // The default adapts to a short interval; a configured timeout has to fit.
  const timeoutMs =
    raw?.timeout === undefined ? Math.min(4_000, intervalMs) : duration(raw.timeout, '4s', 'scrape.timeout');
  if (timeoutMs > intervalMs)
    mistakes.push(
      `scrape.timeout: expected at most \`scrape.interval\` (${intervalMs} ms), got ${timeoutMs} ms.`,
    );
  return {
    intervalMs,
    timeoutMs,
    maxBodyBytes: raw?.maxBodyBytes ?? 16_777_216,
    maxSamples: raw?.maxSamples ?? 200_000,
    maxLabels: raw?.maxLabels ?? 64,
    maxLabelValueLength: raw?.maxLabelValueLength ?? 4_096,
  };
}

function buildDiscovery(
  raw: ConfigFile,
  directory: string,
  mistakes: string[],
): Pick<Config, 'discovery' | 'httpDiscovery' | 'registration'> {
  const duration = durationReader(mistakes);
  const entries = raw.discovery ?? [];
  const registration = {
    allow: new AllowList(readAllow(raw.registration?.allow, 'registration.allow', mistakes)),
    maxTargets: raw.registration?.maxTargets ?? 200,
    ttlMs: duration(raw.registration?.ttl, '2m', 'registration.ttl'),
    maxTtlMs: duration(raw.registration?.maxTtl, '1h', 'registration.maxTtl'),
  };
  if (registration.ttlMs > registration.maxTtlMs)
    mistakes.push('registration.ttl: expected at most `registration.maxTtl`.');
  return {
    discovery: entries.flatMap((entry) => {
      if (!('directory' in entry)) return [];
      const { job, directory: watched, scheme = 'http', path = '/metrics' } = entry;
      return { job, directory: resolve(directory, watched), scheme, path };
    }),
    httpDiscovery: entries.flatMap((entry, at) => {
      if ('directory' in entry) return [];
      const where = `discovery[${at}]`;
      const endpoint = readEndpoint(entry, where, mistakes);
      if (endpoint === undefined) return [];
      return {
        ...endpoint,
        job: entry.job,
        intervalMs: duration(entry.interval, '1m', `${where}.interval`),
        allow: new AllowList(readAllow(entry.allow, `${where}.allow`, mistakes)),
        maxTargets: entry.maxTargets ?? 1_000,
      };
    }),
    registration,
  };
}

// A directory relative to the file, otherwise a commit.
function buildOf(text: string | undefined, directory: string): string {
  const path = resolve(directory, text ?? '.');
  return existsSync(path) ? path : (text ?? '.');
}

function readAllow(entries: readonly string[] = [], at: string, mistakes: string[]): readonly string[] {
  entries.forEach((entry, index) => {
    const wrong = explainAllowEntry(entry);
    if (wrong !== undefined) mistakes.push(`${at}[${index}]: ${wrong}`);
  });
  return entries;
}

function buildRules(raw: ConfigFile['rules'], directory: string, mistakes: string[]): Config['rules'] {
  const intervalMs = durationReader(mistakes)(raw?.interval, '1m', 'rules.interval');
  const url = (text: string | undefined, at: string): URL | undefined =>
    text === undefined ? undefined : readEndpoint({ url: text }, at, mistakes)?.url;
  return {
    groups: (raw?.files ?? []).flatMap((file) =>
      readRuleFile(resolve(directory, file), intervalMs, mistakes),
    ),
    webhook: url(raw?.webhook, 'rules.webhook'),
    externalUrl: url(raw?.externalUrl, 'rules.externalUrl')?.href.replace(/\/$/, ''),
  };
}

function readTraceUrl(text: string | undefined, mistakes: string[]): string | undefined {
  if (text === undefined) return undefined;
  const example = 'http://127.0.0.1:3000/explore?traceId={traceId}';
  // The URL is kept as written: `URL` would escape its braces.
  if (text.includes('{traceId}'))
    return readHttpUrl(text, 'page.traceUrl', example, mistakes) === undefined ? undefined : text;
  mistakes.push(`page.traceUrl: expected {traceId} in the URL, such as "${example}", got ${brief(text)}.`);
  return undefined;
}

function readPort(text: string | undefined, mistakes: string[]): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  mistakes.push(`environment variable PORT: expected a number from 0 to 65535, got ${brief(text)}.`);
  return undefined;
}

function readHttpUrl(text: string, at: string, example: string, mistakes: string[]): URL | undefined {
  const url = URL.parse(text);
  if (url !== null && (url.protocol === 'http:' || url.protocol === 'https:')) return url;
  mistakes.push(`${at}: expected an http(s) URL such as "${example}", got ${brief(text)}.`);
  return undefined;
}

function readEndpoint(entry: EndpointEntry, at: string, mistakes: string[]): EndpointConfig | undefined {
  const url = readHttpUrl(
    entry.url,
    at.endsWith(']') || at === 'backend' ? `${at}.url` : at,
    'http://127.0.0.1:9090',
    mistakes,
  );
  return url === undefined ? undefined : { url, headers: { ...entry.headers } };
}

/** Reads one entry of `targets`. Adds a line to `mistakes` for each error; returns `undefined` when the URL is wrong. */
export function readTarget(target: TargetEntry, at: string, mistakes: string[]): TargetConfig | undefined {
  const url = readHttpUrl(target.url, `${at}.url`, 'http://127.0.0.1:4041/metrics', mistakes);
  for (const reserved of ['job', 'instance', '__name__'])
    if (target.labels !== undefined && Object.hasOwn(target.labels, reserved))
      mistakes.push(`${at}.labels: \`${reserved}\` comes from the target itself and cannot be set here.`);
  return url === undefined ? undefined : { job: target.job, url, labels: { ...target.labels } };
}

function checkTargets(config: Config, mistakes: string[]): void {
  const targets = new Map<string, number>();
  config.targets.forEach(({ job, url, labels }, at) => {
    const key = JSON.stringify([job, url.host, Object.entries(labels).sort()]);
    const twin = targets.get(key);
    if (twin === undefined) targets.set(key, at);
    else
      mistakes.push(
        `targets[${at}]: same job, instance and labels as targets[${twin}]; their series would clash.`,
      );
  });
}

// The backlog keeps one position for each URL, fragment included.
function checkRemoteWrite(entries: readonly EndpointEntry[] = [], mistakes: string[]): void {
  const receivers = new Map<string, number>();
  entries.forEach((entry, at) => {
    const href = URL.parse(entry.url)?.href;
    if (href === undefined) return;
    const twin = receivers.get(href);
    if (twin === undefined) receivers.set(href, at);
    else
      mistakes.push(
        `remoteWrite[${at}].url: same URL as remoteWrite[${twin}]; samples that one lacks would count as sent. Give one URL a fragment of its own, such as "#${at}", which is not sent.`,
      );
  });
}

function checkBenchmarks({ benchmarks }: Config, mistakes: string[]): void {
  const names = new Set<string>();
  benchmarks.forEach(({ name, file, schedule }, at) => {
    if (names.has(name))
      mistakes.push(`benchmarks[${at}].name: ${brief(name)} is taken by an earlier benchmark.`);
    names.add(name);
    if (!existsSync(file)) mistakes.push(`benchmarks[${at}].file: no file at ${file}.`);
    if (schedule === undefined) return;
    try {
      new Cron(schedule, { paused: true });
    } catch (thrown) {
      mistakes.push(`benchmarks[${at}].schedule: ${messageOf(thrown)}`);
    }
  });
}

function checkListen({ listen, auth }: Config, mistakes: string[]): void {
  const { host } = listen;
  const isOwn = isIP(host) === 0 ? host.toLowerCase() === 'localhost' : isLoopback(host);
  if (isOwn || auth.tokens.length > 0) return;
  mistakes.push(
    `listen.host: ${brief(host)} is not loopback, and without \`auth.tokens\` everyone who reaches it could do everything. Add a token (\`weir token\`) or listen on 127.0.0.1.`,
  );
}

function brief(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
