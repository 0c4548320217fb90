import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promtool } from '@weir/test-kit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { DashboardJson } from './dashboard-json.ts';

const main = join(import.meta.dirname, '../src/cli/main.ts');
const work = mkdtempSync(join(tmpdir(), 'weir-dashboards-'));
const out = join(work, 'out');
const slo = join(work, 'slo.yml');

afterAll(() => rmSync(work, { recursive: true }));

function run(...args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, ['--conditions=@weir/source', main, ...args], {
    encoding: 'utf8',
    cwd: work,
  });
}

function readOut(path: string): string {
  return readFileSync(join(out, path), 'utf8');
}

beforeAll(() => {
  writeFileSync(
    slo,
    'objectives:\n  - { name: checkout, target: 0.995, matchers: { http_route: "/checkout.*" } }\n',
  );
  const { status, stderr } = run(
    ...[
      'write',
      'out',
      '--prefix',
      'Acme Shop',
      '--datasource',
      'mimir',
      '--datasource-url',
      'http://mimir:9009',
    ],
    ...['--job-label', 'service', '--instance-label', 'pod', '--slo', 'slo.yml', '--grafana-alerts'],
    ...[
      '--runbooks',
      'https://wiki.example/runbooks',
      '--tempo-url',
      'http://tempo:3200',
      '--traces',
      'traces',
    ],
  );
  expect(stderr).toBe('');
  expect(status).toBe(0);
});

test('dashboards carry the prefix, the data source and the labels of their team', () => {
  const files = readdirSync(join(out, 'dashboards'));
  expect(files).toContain('acme-shop-overview.json');
  for (const file of files) {
    const text = readOut(`dashboards/${file}`);
    const dashboard = JSON.parse(text) as DashboardJson;
    expect(dashboard.title).toMatch(/^Acme Shop /);
    expect(dashboard.uid).toBe(file.replace('.json', ''));
    expect(dashboard.templating.list[0]).toMatchObject({ current: { value: 'mimir' } });
    expect(text).not.toMatch(
      /\bjob=~|\binstance=~|by \([^)]*\b(job|instance)\b|\{\{(job|instance)\}\}|\/d\/weir-/,
    );
    expect(text).toContain('service=~');
    expect(text).not.toContain('\\"tempo\\",\\"queries');
  }
});

test('rules follow the objectives and pass promtool', async () => {
  const text = readOut('rules/acme-shop.rules.yml');
  expect(text).toContain('{http_route=~"/checkout.*", http_response_status_code=~"5.."}');
  expect(text).toContain('> 0.072 ');
  expect(text).toContain('https://wiki.example/runbooks/target-down.md');
  const file = join(out, 'rules/acme-shop.rules.yml');
  const { code, stdout } = await promtool(['check', 'rules', '--lint=all', '--lint-fatal', file]);
  expect(code, stdout).toBe(0);
});

test('provisioning names the directory, the data source and the alerts that Grafana shall evaluate', () => {
  expect(parse(readOut('provisioning/dashboards/acme-shop.yaml'))).toMatchObject({
    providers: [{ folder: 'Acme Shop', options: { path: join(out, 'dashboards') } }],
  });
  expect(parse(readOut('provisioning/datasources/acme-shop.yaml'))).toMatchObject({
    datasources: [
      { uid: 'mimir', url: 'http://mimir:9009', isDefault: true },
      { uid: 'traces', type: 'tempo', url: 'http://tempo:3200' },
    ],
  });
  const { groups } = parse(readOut('provisioning/alerting/acme-shop.yaml')) as {
    groups: { rules: { uid: string; title: string; data: { datasourceUid: string; refId: string }[] }[] }[];
  };
  const rules = groups.flatMap((group) => group.rules);
  expect(new Set(rules.map(({ uid }) => uid)).size).toBe(rules.length);
  for (const { uid, title, data } of rules) {
    expect(uid.length, uid).toBeLessThanOrEqual(40);
    expect(title).toMatch(/^AcmeShop/);
    expect(data.map(({ datasourceUid }) => datasourceUid)).toEqual(['mimir', '__expr__', '__expr__']);
  }
});

test.each([
  [['write'], 'expected one directory'],
  [[], 'expected a command'],
  [['wrte'], 'unknown command `wrte`'],
  [['write', 'x', '--prefx', 'a'], "Unknown option '--prefx'"],
  [['write', 'x', '--prefix', '1/2'], 'Expected prefix to be a capital'],
  [['write', 'x', '--job-label', 'a-b'], 'Expected jobLabel to be a label name'],
  [['write', 'x', '--job-label', 'instance'], 'Expected instanceLabel to be another label'],
  [['write', 'x', '--time-scale', '2'], 'Expected timeScale to be a number above 0'],
  [['write', 'x', '--slo', 'gone.yml'], 'cannot read gone.yml'],
  [['write', 'x', '--slo', 'bad.yml'], 'bad.yml: objectives[0].latency: expected a bound of the histogram'],
  [['write', 'x', '--slo', 'broken.yml'], 'cannot read broken.yml'],
  [['write', 'x', '--datasource-url', 'mimir:9009'], 'expected --datasource-url to begin with http'],
  [['write', 'x', '--tempo-url', 'http://tempo'], 'need --datasource-url'],
])('%j is answered by one line and exit code 64', (args, line) => {
  writeFileSync(join(work, 'bad.yml'), 'objectives: [{ name: a, target: 0.9, latency: 300ms }]');
  writeFileSync(join(work, 'broken.yml'), 'objectives: [');
  const { status, stdout, stderr } = run(...args);
  expect(stderr).toMatch(/^weir-dashboards: /);
  expect(stderr).toContain(line);
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(stdout).toBe('');
  expect(status).toBe(64);
  expect(existsSync(join(work, 'x'))).toBe(false);
});

test('a directory that cannot be written is told in one line', () => {
  writeFileSync(join(work, 'file'), '');
  const { status, stderr } = run('write', 'file');
  expect(stderr).toMatch(/^weir-dashboards: E(NOTDIR|EXIST).*\n$/);
  expect(status).toBe(1);
});

test('help, version and the list of dashboards', () => {
  expect(run('--help').stdout).toContain('--slo <file>');
  expect(run('--version').stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect(run('list').stdout).toContain('weir-overview\tWeir overview');
});
