import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Ajv, type ErrorObject } from 'ajv';
import { messageOf, ServiceError } from '../errors.ts';
import { AllowList } from '../network/address-policy.ts';
import { buildConfig } from './build-config.ts';
import type { Config, ConfigFile } from './config.ts';
import { configSchema } from './schema.ts';

const validate = new Ajv({ allErrors: true, allowUnionTypes: true, verbose: true }).compile<ConfigFile>(
  configSchema,
);

/**
 * Reads and checks a configuration file.
 * @param environment `PORT` overrides `listen.port`.
 * @throws ServiceError `ERR_WEIR_SERVICE_CONFIG_MISSING`, or `ERR_WEIR_SERVICE_CONFIG_INVALID` with one line for
 * each error.
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
  return parseConfig(file, text, environment);
}

/**
 * The configuration in `text`. `file` names it in messages; paths are relative to its directory.
 * @throws ServiceError `ERR_WEIR_SERVICE_CONFIG_INVALID` with one line for each error.
 */
export function parseConfig(
  file: string,
  text: string,
  environment: Readonly<Record<string, string | undefined>> = {},
): Config {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (thrown) {
    throw invalid(file, [`not JSON: ${messageOf(thrown)}`], thrown);
  }
  if (!validate(parsed)) throw invalid(file, [...new Set((validate.errors ?? []).map(describe))]);
  const mistakes: string[] = [];
  const config = buildConfig(file, parsed, environment, mistakes);
  if (mistakes.length > 0) throw invalid(file, mistakes);
  return deepFreeze(config);
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
    case 'enum':
      return `${at}: expected one of ${(error.params.allowedValues as unknown[]).join(', ')}${shown}.`;
    case 'minLength':
      return `${at}: must not be empty.`;
    case 'minimum':
    case 'maximum':
      return `${at}: expected a number ${error.params.comparison} ${error.params.limit}${shown}.`;
    case 'propertyNames':
      return `${at}: \`${error.params.propertyName}\` is not a label name.`;
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

function deepFreeze<T>(value: T): T {
  if (
    typeof value === 'object' &&
    value !== null &&
    !(value instanceof URL) &&
    !(value instanceof AllowList)
  ) {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value;
}
