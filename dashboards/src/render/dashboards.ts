import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { relabel, type Settings, slugOf } from '../customise.ts';
import { definitions } from '../definitions/index.ts';
import { traceSource } from '../grafana/annotations.ts';
import { buildDashboard } from '../grafana/dashboard.ts';

/** Every dashboard as the settings want it, general to specific. */
export function renderDashboards(settings: Settings): readonly Dashboard[] {
  return definitions(settings.slo).map((definition) => customise(buildDashboard(definition), settings));
}

const promQl = new Set([
  'expr',
  'legendFormat',
  'definition',
  'query',
  'titleFormat',
  'textFormat',
  'tagKeys',
]);

/** The dashboard with the settings' names in place of ours. */
function customise(dashboard: Dashboard, settings: Settings): Dashboard {
  const { prefix, datasource } = settings;
  const slug = slugOf(prefix);
  const own = JSON.parse(
    JSON.stringify(dashboard, (key, value: unknown) => {
      if (typeof value !== 'string') return value;
      if (promQl.has(key)) return relabel(value, settings);
      if (key === 'url') return ownLinks(value, slug, settings.traces);
      return value;
    }),
  ) as Dashboard;
  own.uid = own.uid?.replace(/^weir/, slug) ?? slug;
  own.title = own.title?.replace(/^Weir/, prefix) ?? prefix;
  own.tags = [slug];
  for (const link of own.links ?? []) {
    link.title = `${prefix} dashboards`;
    link.tags = [slug];
  }
  const [source] = own.templating?.list ?? [];
  if (datasource !== undefined && source !== undefined) {
    source.current = { selected: true, text: datasource, value: datasource };
  }
  return own;
}

function ownLinks(url: string, slug: string, traces: string): string {
  return url.replace(/^\/d\/weir-/, `/d/${slug}-`).replaceAll(`"${traceSource}"`, `"${traces}"`);
}
