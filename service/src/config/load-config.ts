import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Ajv, type ErrorObject } from 'ajv';
import { messageOf, ServiceError } from '../errors.ts';
import type { Config, ConfigFile, TargetConfig } from './config.ts';
import { parseDuration, parseSize } from './duration.ts';
import { configSchema } from './schema.ts';

const validate = new Ajv({ allErrors: true, allowUnionTypes: true, verbose: true }).compile<ConfigFile>(
  configSchema,
);

/**
 * Reads and checks a configuration file.
 * @param environment `PORT` overrides `listen.port`.
 * @throws ServiceError `ERR_WEIR_SERVICE_CONFIG_MISSING`, or `ERR_WEIR_SERVICE_CONFIG_INVALID` with one line for
 * every mistake.
 */
export function loadConfig(
  path: string,
  environment: Readonly<Record<string, string | undefined>> = {},
): Config {
  const file = resolve(path);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (thrown) {
    const isMissing = (thrown as NodeJS.ErrnoException).code === 'ENOENT';
    throw new ServiceError(
      'ERR_WEIR_SERVICE_CONFIG_MISSING',
      isMissing
        ? `No configuration at ${file}. Create it, or name another with --config.`
        : `Cannot read ${file}: ${messageOf(thrown)}`,
      thrown,
    );
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (thrown) {
    throw invalid(file, [`not JSON: ${messageOf(thrown)}`], thrown);
  }
  if (!validate(parsed)) throw invalid(file, [...new Set((validate.errors ?? []).map(describe))]);
  return build(file, parsed, environment);
}

function invalid(file: string, mistakes: readonly string[], cause?: unknown): ServiceError {
  return new ServiceError(
    'ERR_WEIR_SERVICE_CONFIG_INVALID',
    mistakes.map((mistake) => `${file}: ${mistake}`).join('\n'),
    cause,
  );
}

function describe(error: ErrorObject): string {
  const at = readablePath(error.instancePath);
  const shown = error.data === undefined ? '' : `, got ${brief(error.data)}`;
  switch (error.keyword) {
    case 'additionalProperties': {
      const known = Object.keys((error.parentSchema?.properties as object | undefined) ?? {});
      return `${at}: unknown key \`${error.params.additionalProperty}\`. Known keys: ${known.filter((key) => key !== '$schema').join(', ')}.`;
    }
    case 'required':
      return `${at}: \`${error.params.missingProperty}\` is missing.`;
    case 'type':
      return `${at}: expected ${article(String(error.params.type))}${shown}.`;
    case 'pattern':
      return `${at}: expected ${patternName(String(error.parentSchema?.description ?? ''), String(error.params.pattern))}${shown}.`;
    case 'minLength':
      return `${at}: must not be empty.`;
    case 'minimum':
    case 'maximum':
      return `${at}: expected a number ${error.params.comparison} ${error.params.limit}${shown}.`;
    case 'propertyNames':
      return `${at}: \`${error.params.propertyName}\` is no label name.`;
    default:
      return `${at}: ${error.message ?? 'is not valid'}${shown}.`;
  }
}

function article(type: string): string {
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`;
}

function patternName(description: string, pattern: string): string {
  if (description.includes('A duration such as')) return 'a duration such as "15s" or "1h30m"';
  if (pattern.includes('KB')) return 'a size such as "10GB"';
  return `text matching ${pattern}`;
}

// `/targets/0/url` as `targets[0].url`.
function readablePath(pointer: string): string {
  if (pointer === '') return '(top level)';
  return pointer
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce(
      (path, part) => (/^\d+$/.test(part) ? `${path}[${part}]` : path === '' ? part : `${path}.${part}`),
      '',
    );
}

function brief(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

function build(
  file: string,
  raw: ConfigFile,
  environment: Readonly<Record<string, string | undefined>>,
): Config {
  const mistakes: string[] = [];
  const ms = (text: string | undefined, fallback: string, at: string): number => {
    const value = parseDuration(text ?? fallback) ?? 0;
    if (value <= 0) mistakes.push(`${at}: expected more than no time, got ${brief(text)}.`);
    return value;
  };
  const directory = dirname(file);
  const scrape = {
    intervalMs: ms(raw.scrape?.interval, '5s', 'scrape.interval'),
    timeoutMs: 0,
    maxBodyBytes: raw.scrape?.maxBodyBytes ?? 16_777_216,
    maxSamples: raw.scrape?.maxSamples ?? 200_000,
    maxLabels: raw.scrape?.maxLabels ?? 64,
    maxLabelValueLength: raw.scrape?.maxLabelValueLength ?? 4_096,
  };
  // The default bows to a short interval; a written timeout has to fit.
  scrape.timeoutMs =
    raw.scrape?.timeout === undefined
      ? Math.min(4_000, scrape.intervalMs)
      : ms(raw.scrape.timeout, '4s', 'scrape.timeout');
  if (scrape.timeoutMs > scrape.intervalMs)
    mistakes.push(
      `scrape.timeout: expected at most \`scrape.interval\` (${scrape.intervalMs} ms), got ${scrape.timeoutMs} ms.`,
    );
  const config: Config = {
    path: file,
    listen: {
      host: raw.listen?.host ?? '127.0.0.1',
      port: readPort(environment.PORT, mistakes) ?? raw.listen?.port ?? 4040,
    },
    store: {
      path: resolve(directory, raw.store?.path ?? '.weir/data'),
      retentionMs: ms(raw.store?.retention, '15d', 'store.retention'),
      retentionBytes: raw.store?.retentionSize === undefined ? undefined : parseSize(raw.store.retentionSize),
      maxSeries: raw.store?.maxSeries ?? 1_000_000,
    },
    scrape,
    targets: raw.targets.flatMap((target, at) => readTarget(target, `targets[${at}]`, mistakes) ?? []),
    benchmarks: (raw.benchmarks ?? []).map(({ name, file: scenario }) => ({
      name,
      file: resolve(directory, scenario),
    })),
  };
  checkTogether(config, mistakes);
  if (mistakes.length > 0) throw invalid(file, mistakes);
  return deepFreeze(config);
}

function readPort(text: string | undefined, mistakes: string[]): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  mistakes.push(`environment variable PORT: expected a number from 0 to 65535, got ${brief(text)}.`);
  return undefined;
}

/** One entry of `targets`, or `undefined` after adding what is wrong with it to `mistakes`. */
export function readTarget(
  target: ConfigFile['targets'][number],
  at: string,
  mistakes: string[],
): TargetConfig | undefined {
  const url = URL.parse(target.url);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    mistakes.push(
      `${at}.url: expected an http(s) URL such as "http://127.0.0.1:4041/metrics", got ${brief(target.url)}.`,
    );
    return undefined;
  }
  for (const reserved of ['job', 'instance', '__name__'])
    if (target.labels !== undefined && Object.hasOwn(target.labels, reserved))
      mistakes.push(`${at}.labels: \`${reserved}\` comes from the target itself and cannot be set here.`);
  return { job: target.job, url, labels: { ...target.labels } };
}

function checkTogether(config: Config, mistakes: string[]): void {
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
  const names = new Set<string>();
  config.benchmarks.forEach(({ name, file }, at) => {
    if (names.has(name))
      mistakes.push(`benchmarks[${at}].name: ${brief(name)} is taken by an earlier benchmark.`);
    names.add(name);
    if (!existsSync(file)) mistakes.push(`benchmarks[${at}].file: no file at ${file}.`);
  });
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !(value instanceof URL)) {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value;
}
