import { expect, test } from 'vitest';
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

/** The first dashboard with its first panel changed. */
function broken(change: (panel: PanelJson) => object): DashboardJson {
  const [dashboard] = all;
  if (dashboard === undefined) throw new Error('There are no dashboards.');
  const [first, ...others] = dashboard.panels;
  if (first === undefined) throw new Error('The dashboard has no panels.');
  return { ...dashboard, panels: [{ ...first, ...change(first) } as PanelJson, ...others] };
}

function withExpr(expr: string): (panel: PanelJson) => object {
  return (panel) => ({ targets: panel.targets?.map((target) => ({ ...target, expr })) });
}

const scope = 'job=~"$job", instance=~"$instance"';

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
  ['a query that ignores $job', withExpr('sum(up{instance=~"$instance"})'), 'ignores $job'],
])('the linter reports %s', (_, change, complaint) => {
  expect(lint(broken(change)).join('\n')).toContain(complaint);
});
