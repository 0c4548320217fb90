import { metricCatalogue } from '@weir/metrics';
import { expect, test } from 'vitest';
import { serviceCatalogue } from '../../service/src/catalogue.ts';
import { type DashboardJson, type PanelJson, readDashboards } from './dashboard-json.ts';
import { lint } from './lint.ts';

const all = readDashboards();

test.each(all.map((dashboard) => [dashboard.uid, dashboard] as const))(
  '%s has nothing to trip over',
  (_, dashboard) => {
    expect(lint(dashboard)).toEqual([]);
  },
);

test('uids and titles are unique over all dashboards', () => {
  expect(new Set(all.map(({ uid }) => uid)).size).toBe(all.length);
  expect(new Set(all.map(({ title }) => title)).size).toBe(all.length);
});

/** Why a metric of the catalogue is on no dashboard. */
const notShown: Readonly<Record<string, string>> = {
  v8js_memory_heap_limit_bytes: 'what V8 has reserved for a space, which follows its use',
  weir_metrics_callback_errors_total: 'a fault in the code of a callback, whose log has the error',
  weir_metrics_overflow_total: 'an alert, nothing while all is well',
  scrape_samples_post_metric_relabeling:
    'differs from the samples scraped only where a configuration drops some',
  weir_bench_running: 'the load offered says when and how much',
};

test('every metric of the catalogues is on a dashboard, or is not for a reason', () => {
  const shown = JSON.stringify(all);
  const missing = [...metricCatalogue, ...serviceCatalogue]
    .map(({ name }) => name)
    .filter((name) => !shown.includes(name));
  expect(missing.sort()).toEqual(Object.keys(notShown).sort());
});

/** The first dashboard with its first panel changed. */
function broken(change: (panel: PanelJson) => object): DashboardJson {
  const dashboard = first();
  const [panel, ...others] = dashboard.panels;
  if (panel === undefined) throw new Error('The dashboard has no panels.');
  return { ...dashboard, panels: [{ ...panel, ...change(panel) } as PanelJson, ...others] };
}

function withExpr(expr: string): (panel: PanelJson) => object {
  return (panel) => ({ targets: panel.targets?.map((target) => ({ ...target, expr })) });
}

const [range, variables] = ['__url_time_range', '__all_variables'].map((name) => `$\{${name}}`);
const scope = 'job=~"$job", instance=~"$instance"';
const target = { refId: 'A', legendFormat: 'x', datasource: { type: 'prometheus', uid: '$datasource' } };

test.each([
  ['a missing description', () => ({ description: '' }), 'no description'],
  ['a missing unit', () => ({ fieldConfig: { defaults: { noValue: 'None' } } }), 'no unit'],
  [
    'an empty chart without words',
    () => ({ fieldConfig: { defaults: { unit: 's' } } }),
    'no words for no data',
  ],
  ['a panel outside the grid', () => ({ gridPos: { x: 23, y: 900, w: 3, h: 1 } }), 'beyond the grid'],
  ['an id used twice', () => ({ id: 101 }), 'ids are not unique'],
  ['a metric outside the catalogue', withExpr(`sum(weir_made_up{${scope}})`), 'not in the catalogue'],
  ['a counter without rate', withExpr(`sum(weir_cache_reads_total{${scope}})`), 'not rated'],
  ['a rated gauge', withExpr(`rate(weir_cache_entries{${scope}}[$__rate_interval])`), 'no counter'],
  ['a fixed rate interval', withExpr(`rate(weir_cache_reads_total{${scope}}[5m])`), 'fixed [5m]'],
  ['a query that does not parse', withExpr(`sum(up{${scope}}`), 'target-promql'],
  ['a panel without query', () => ({ targets: [] }), 'panel-no-targets'],
  ['a panel of another data source', () => ({ datasource: { uid: 'abc' } }), 'panel-datasource'],
  [
    'a link to a dashboard that is not there',
    () => ({ links: [{ title: 'x', url: `/d/weir-gone?${range}&${variables}` }] }),
    'leads nowhere',
  ],
  [
    'a link that drops the variables',
    () => ({ links: [{ title: 'x', url: `/d/weir-http?${range}` }] }),
    'drops time range or variables',
  ],
  [
    'a heat map that leaves its exemplars out',
    () => ({
      type: 'heatmap',
      targets: [
        {
          ...target,
          expr: `sum by (le) (rate(http_server_request_duration_seconds_bucket{${scope}}[$__rate_interval]))`,
        },
      ],
    }),
    'exemplars that there are',
  ],
  ['a query that ignores $job', withExpr('sum(up{instance=~"$instance"})'), 'ignores $job'],
])('the linter reports %s', (_, change, complaint) => {
  expect(lint(broken(change)).join('\n')).toContain(complaint);
});

test.each([
  ['an editable dashboard', (all: DashboardJson) => ({ ...all, editable: true }), 'uneditable-dashboard'],
  [
    'no data source to choose',
    (all: DashboardJson) => ({ ...all, templating: { list: all.templating.list.slice(1) } }),
    'template-datasource',
  ],
  ['a job that is not refreshed', variable('job', { refresh: 1 }), 'template-on-time-change-reload'],
  ['an instance without All', variable('instance', { includeAll: false }), 'template-instance'],
  [
    'a job asked for by another label',
    variable('job', { query: { query: 'label_values(up, app)' } }),
    'template-label-promql',
  ],
  [
    'an annotation of an unknown metric',
    annotation('made_up{job=~"$job"}'),
    'made_up is not in the catalogue',
  ],
  ['an annotation that ignores $job', annotation('up'), 'ignores $job'],
] as const)('the linter reports %s', (_, change, complaint) => {
  expect(lint(change(first()))).toEqual(expect.arrayContaining([expect.stringContaining(complaint)]));
});

function first(): DashboardJson {
  const [dashboard] = all;
  if (dashboard === undefined) throw new Error('There are no dashboards.');
  return dashboard;
}

function variable(name: string, change: object): (dashboard: DashboardJson) => DashboardJson {
  return (dashboard) => ({
    ...dashboard,
    templating: {
      list: dashboard.templating.list.map((own) => (own.name === name ? { ...own, ...change } : own)),
    },
  });
}

function annotation(expr: string): (dashboard: DashboardJson) => DashboardJson {
  return (dashboard) => ({
    ...dashboard,
    annotations: { list: dashboard.annotations.list.map((own) => ({ ...own, expr })) },
  });
}
