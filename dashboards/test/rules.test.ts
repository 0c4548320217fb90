import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promtool } from '@weir/test-kit';
import { expect, test } from 'vitest';
import { readRuleFile } from '../../service/src/config/rule-file.ts';
import { resolveSettings } from '../src/customise.ts';
import { renderRules } from '../src/render/rule-file.ts';
import { ruleGroups } from '../src/rules/index.ts';
import { type AlertingRule, inlineRecordings } from '../src/rules/rule.ts';
import { parseSlo } from '../src/slo.ts';
import { unknownMetrics } from './lint.ts';

const root = join(import.meta.dirname, '../..');
const file = join(root, 'dashboards/generated/weir.rules.yml');
const cases = join(import.meta.dirname, 'rules');
const files = readdirSync(cases);
const rules = ruleGroups(resolveSettings()).flatMap((group) => group.rules);
const alerts = rules.filter((rule): rule is AlertingRule => 'alert' in rule);

test('promtool finds nothing wrong with the rules, with every lint on', async () => {
  const { code, stdout, stderr } = await promtool(['check', 'rules', '--lint=all', '--lint-fatal', file]);
  expect(stdout + stderr).toContain(`${rules.length} rules found`);
  expect(code).toBe(0);
});

test.each(files)(
  'alerts of %s fire on their conditions and not on the healthy case beside them',
  async (name) => {
    const { code, stdout, stderr } = await promtool(['test', 'rules', join(cases, name)]);
    expect(stdout + stderr).toContain('SUCCESS');
    expect(code, stdout + stderr).toBe(0);
  },
);

test('no alert is without a case in which it fires', () => {
  const fired = files.map((name) => readFileSync(join(cases, name), 'utf8')).join('\n');
  for (const { alert } of alerts) expect(fired).toContain(`alertname="${alert}"`);
});

test('rules of other objectives, labels and time pass promtool as well', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'weir-rules-'));
  try {
    const slo = parseSlo({
      objectives: [
        { name: 'checkout', target: 0.99, latency: '1s', matchers: { http_route: '/checkout.*' } },
        { name: 'search', target: 0.5, latency: '500ms', matchers: { http_route: '/search' } },
        { name: 'all', target: 0.95 },
      ],
    });
    const own = join(directory, 'own.yml');
    writeFileSync(
      own,
      renderRules(
        resolveSettings({
          slo,
          prefix: 'Acme Shop',
          jobLabel: 'service',
          instanceLabel: 'pod',
          timeScale: 0.01,
        }),
      ),
    );
    const text = readFileSync(own, 'utf8');
    expect(text).toContain('alert: AcmeShopTargetDown');
    expect(text).toContain('sum by (service, pod)');
    expect(text).toContain('{http_route=~"/checkout.*", le=~"1([.]0)?"}[3s]');
    expect(text).not.toMatch(/\bby \([^)]*\b(job|instance)\b|\$labels\.(job|instance)\b|\bWeir[A-Z]/);
    const { code, stdout, stderr } = await promtool(['check', 'rules', '--lint=all', '--lint-fatal', own]);
    expect(code, stdout + stderr).toBe(0);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('alerts that ask recorded series can be written without them', () => {
  const groups = ruleGroups(resolveSettings());
  const inlined = inlineRecordings(groups, '30s');
  expect(inlined.size).toBe(alerts.length);
  for (const [name, expr] of inlined) expect(unknownMetrics(expr, []), name).toEqual([]);
});

test('the service reads the rules without complaint', () => {
  const mistakes: string[] = [];
  const groups = readRuleFile(file, 15_000, mistakes);
  expect(mistakes).toEqual([]);
  expect(groups.flatMap((group) => group.rules)).toHaveLength(rules.length);
});

test('rules name catalogued metrics, or what other rules record', () => {
  const recorded = rules.flatMap((rule) => ('record' in rule ? [rule.record] : []));
  for (const { expr } of rules) expect(unknownMetrics(expr, recorded), expr).toEqual([]);
});

test.each(alerts.map((alert) => [alert.alert, alert] as const))(
  '%s says what to do and has a runbook',
  (_, { annotations, labels }) => {
    expect(['page', 'ticket', 'info']).toContain(labels.severity);
    expect(annotations.description.length).toBeGreaterThan(60);
    expect(existsSync(join(root, 'dashboards', annotations.runbook_url)), annotations.runbook_url).toBe(true);
  },
);
