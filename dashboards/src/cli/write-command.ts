import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';
import { resolveSettings, type Settings, slugOf } from '../customise.ts';
import { UsageError } from '../errors.ts';
import { renderDashboards } from '../render/dashboards.ts';
import { renderGrafanaAlerts } from '../render/grafana-alerts.ts';
import { renderProvider, renderSources } from '../render/provisioning.ts';
import { renderRules } from '../render/rule-file.ts';
import { parseSlo, type Slo } from '../slo.ts';

const text = { type: 'string' } as const;
const options = {
  prefix: text,
  datasource: text,
  'datasource-url': text,
  'scrape-interval': text,
  'tempo-url': text,
  'job-label': text,
  'instance-label': text,
  slo: text,
  runbooks: text,
  traces: text,
  mount: text,
  'grafana-alerts': { type: 'boolean' },
  'time-scale': text,
} as const;
type Values = ReturnType<typeof parseArgs<{ options: typeof options }>>['values'];

/** Writes everything below the directory that the arguments name; resolves with the paths written. */
export async function writeCommand(argv: readonly string[]): Promise<readonly string[]> {
  const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true });
  const [directory, ...more] = positionals;
  if (directory === undefined || more.length > 0) {
    throw new UsageError('expected one directory: weir-dashboards write <directory>');
  }
  const settings = await settingsOf(values);
  const written: string[] = [];
  // All are made before the first is written: a mistake leaves nothing behind.
  for (const [name, content] of [...files(settings, values, resolve(directory))]) {
    const path = join(directory, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
    written.push(path);
  }
  return written;
}

async function settingsOf(values: Values): Promise<Settings> {
  const scale = values['time-scale'];
  return resolveSettings({
    ...given('prefix', values.prefix),
    ...given('datasource', values.datasource),
    ...given('jobLabel', values['job-label']),
    ...given('instanceLabel', values['instance-label']),
    ...given('runbooks', values.runbooks),
    ...given('traces', values.traces),
    ...given('timeScale', scale === undefined ? undefined : Number(scale)),
    ...given('slo', values.slo === undefined ? undefined : await readSlo(values.slo)),
  });
}

function given<Name extends string, Value>(name: Name, value: Value | undefined): { [Key in Name]?: Value } {
  return value === undefined ? {} : ({ [name]: value } as { [Key in Name]?: Value });
}

async function readSlo(file: string): Promise<Slo> {
  let content: unknown;
  try {
    // JSON is YAML.
    content = parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${(error as Error).message.split('\n', 1)[0]}`);
  }
  try {
    return parseSlo(content);
  } catch (error) {
    throw new UsageError(`${file}: ${(error as Error).message}`);
  }
}

function* files(settings: Settings, values: Values, root: string): Generator<readonly [string, string]> {
  const slug = slugOf(settings.prefix);
  for (const dashboard of renderDashboards(settings)) {
    yield [`dashboards/${dashboard.uid}.json`, `${JSON.stringify(dashboard, null, 2)}\n`];
  }
  yield [`rules/${slug}.rules.yml`, renderRules(settings)];
  const mount = values.mount ?? join(root, 'dashboards');
  yield [`provisioning/dashboards/${slug}.yaml`, renderProvider(settings, mount)];
  const url = address('--datasource-url', values['datasource-url']);
  const tempoUrl = address('--tempo-url', values['tempo-url']);
  if (url === undefined && (tempoUrl ?? values['scrape-interval']) !== undefined) {
    throw new UsageError('--tempo-url and --scrape-interval need --datasource-url, whose parts they are');
  }
  const name = settings.datasource ?? slug;
  if (url !== undefined) {
    const scrapeInterval = values['scrape-interval'] ?? '15s';
    if (!/^\d+(?:ms|[smh])$/.test(scrapeInterval)) {
      throw new UsageError(
        `expected --scrape-interval to be a duration such as 15s, got \`${scrapeInterval}\``,
      );
    }
    const source = { name, uid: name, url, scrapeInterval };
    yield [`provisioning/datasources/${slug}.yaml`, renderSources(settings, [source], tempoUrl)];
  }
  if (values['grafana-alerts'] === true) {
    yield [`provisioning/alerting/${slug}.yaml`, renderGrafanaAlerts(settings, name)];
  }
}

function address(option: string, value: string | undefined): string | undefined {
  if (value === undefined || /^https?:\/\/[^/\s]/.test(value)) return value;
  throw new UsageError(`expected ${option} to begin with http:// or https://, got \`${value}\``);
}
