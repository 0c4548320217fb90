import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promtool } from '@weir/test-kit';
import { expect, test } from 'vitest';
import { readRuleFile } from '../../service/src/rules/rule-group.ts';
import { ruleGroups } from '../src/rules/index.ts';
import type { AlertingRule } from '../src/rules/rule.ts';
import { unknownMetrics } from './lint.ts';

const root = join(import.meta.dirname, '../..');
const file = join(root, 'dashboards/generated/weir.rules.yml');
const rules = ruleGroups.flatMap((group) => group.rules);
const alerts = rules.filter((rule): rule is AlertingRule => 'alert' in rule);

test('promtool finds nothing wrong with the rules, with every lint on', async () => {
  const { code, stdout, stderr } = await promtool(['check', 'rules', '--lint=all', '--lint-fatal', file]);
  expect(stdout + stderr).toContain(`${rules.length} rules found`);
  expect(code).toBe(0);
});

test('each alert fires on its condition and not on the healthy case beside it', async () => {
  const { code, stdout, stderr } = await promtool([
    'test',
    'rules',
    join(import.meta.dirname, 'rules/weir.rules.test.yml'),
  ]);
  expect(stdout + stderr).toContain('SUCCESS');
  expect(code, stdout + stderr).toBe(0);
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
    expect(existsSync(join(root, annotations.runbook_url)), annotations.runbook_url).toBe(true);
  },
);
