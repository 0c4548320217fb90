/** Generates docs/catalogue.md from the metric catalogues of this package and, once it has one, of the service. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  type LabelDefinition,
  labelCatalogue,
  type MetricDefinition,
  metricCatalogue,
} from '../src/catalogue.ts';

const root = join(import.meta.dirname, '../../..');

const groups: readonly { readonly title: string; readonly matches: RegExp }[] = [
  { title: 'HTTP', matches: /^http_/ },
  { title: 'Runtime', matches: /^(nodejs|v8js|process|target)_/ },
  { title: 'Database', matches: /^(weir_)?db_/ },
  { title: 'Cache', matches: /^weir_cache_/ },
  { title: 'Rate limits', matches: /^weir_ratelimit_/ },
  { title: 'Overload', matches: /^weir_overload_/ },
  { title: 'Health and objectives', matches: /^weir_(health|slo)_/ },
  { title: 'Metrics about metrics', matches: /^weir_metrics_/ },
];

function row(metric: MetricDefinition): string {
  const labels = metric.labels.map((label) => `\`${label}\``).join(', ');
  return `| \`${metric.name}\` | ${metric.type} | ${labels} | ${metric.help} |`;
}

function table(metrics: readonly MetricDefinition[]): string {
  return ['| metric | type | labels | meaning |', '| --- | --- | --- | --- |', ...metrics.map(row)].join(
    '\n',
  );
}

function bucketsOf(metrics: readonly MetricDefinition[]): string {
  const lines = metrics
    .filter((metric) => metric.buckets !== undefined)
    .map((metric) => `| \`${metric.name}\` | ${metric.unit} | ${metric.buckets?.join(', ')} |`);
  return ['| histogram | unit | upper bounds |', '| --- | --- | --- |', ...lines].join('\n');
}

function labelRow([name, label]: readonly [string, LabelDefinition]): string {
  const values = label.values === undefined ? '' : label.values.map((value) => `\`${value}\``).join(', ');
  return `| \`${name}\` | ${label.help} | ${values} |`;
}

async function serviceCatalogue(): Promise<readonly MetricDefinition[]> {
  const file = join(root, 'service/src/catalogue.ts');
  if (!existsSync(file)) return [];
  const catalogue = (await import(file)) as Record<string, unknown>;
  const isDefinitions = (value: unknown): value is readonly MetricDefinition[] =>
    Array.isArray(value) &&
    value.every((item) => typeof item?.name === 'string' && typeof item?.help === 'string');
  return Object.values(catalogue).filter(isDefinitions).flat();
}

export async function generate(): Promise<Map<string, string>> {
  const service = await serviceCatalogue();
  const sections = groups
    .map(({ title, matches }) => ({
      title,
      metrics: metricCatalogue.filter(({ name }) => matches.test(name)),
    }))
    .concat({ title: 'Service', metrics: [...service] })
    .filter(({ metrics }) => metrics.length > 0);
  const text = [
    '# Metrics',
    'Every metric that Weir emits. Names, labels and units are a published contract: changing one is a breaking change.',
    'This page is generated from `packages/metrics/src/catalogue.ts` and `service/src/catalogue.ts` by `pnpm generate`.',
    ...sections.flatMap(({ title, metrics }) => [`## ${title}`, table(metrics)]),
    '## Labels',
    [
      '| label | meaning | values |',
      '| --- | --- | --- |',
      ...Object.entries(labelCatalogue).map(labelRow),
    ].join('\n'),
    '## Buckets',
    bucketsOf([...metricCatalogue, ...service]),
  ].join('\n\n');
  return new Map([['packages/metrics/docs/catalogue.md', `${text}\n`]]);
}
