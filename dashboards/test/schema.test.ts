import { expect, test } from 'vitest';
import { panelsOf, readDashboards } from './dashboard-json.ts';
import { type Check, grafanaCheck } from './grafana-schema.ts';

const all = readDashboards();
const panels = all.flatMap((dashboard) =>
  panelsOf(dashboard).map((panel) => ({ where: `${dashboard.uid} · ${panel.title}`, panel })),
);
const checks = new Map<string, Check>();

function check(kind: string, type: string): Check {
  const key = `${kind}.${type}`;
  const known = checks.get(key) ?? grafanaCheck(kind, type);
  checks.set(key, known);
  return known;
}

test.each(all.map((dashboard) => [dashboard.uid, withoutQueries(dashboard)] as const))(
  '%s is what Grafana calls a dashboard',
  (_, dashboard) => {
    expect(check('dashboard', 'Dashboard')(dashboard)).toEqual([]);
  },
);

test('every query is what Grafana calls a query of Prometheus', () => {
  for (const { where, panel } of panels)
    for (const target of panel.targets ?? [])
      expect(check('prometheus', 'Dataquery')(target), where).toEqual([]);
});

test('options and fields of every panel are those of its kind', () => {
  for (const { where, panel } of panels) {
    const { options, fieldConfig } = panel as {
      options?: unknown;
      fieldConfig?: { defaults: { custom?: unknown } };
    };
    expect(check(panel.type, 'Options')(options), where).toEqual([]);
    const custom = fieldConfig?.defaults.custom;
    if (custom !== undefined) expect(check(panel.type, 'FieldConfig')(custom), where).toEqual([]);
  }
});

test('the schema refuses what Grafana does not know', () => {
  const dashboard = check('dashboard', 'Dashboard');
  for (const change of [{ tittle: 'x' }, { schemaVersion: 'x' }, { schemaVersion: undefined }]) {
    const copy = { ...(withoutQueries(all[0]) as object), ...change };
    expect(dashboard(JSON.parse(JSON.stringify(copy)))).toHaveLength(1);
  }
  expect(check('prometheus', 'Dataquery')({ refId: 'A', query: 'up' })).not.toEqual([]);
  expect(check('stat', 'Options')({ graphMode: 'areas' })).not.toEqual([]);
});

/** The dashboard without its queries, whose type the dashboard's leaves to their data source. */
function withoutQueries(dashboard: (typeof all)[number] | undefined): unknown {
  return JSON.parse(
    JSON.stringify(dashboard, (key, value: unknown) => (key === 'targets' ? undefined : value)),
  );
}
