import { readFileSync } from 'node:fs';
import { parse } from '@weir/promql';
import { parse as parseYaml } from 'yaml';
import { messageOf } from '../errors.ts';
import { explainTemplate } from '../rules/expand-template.ts';
import type { Rule, RuleGroup } from '../rules/rule-state.ts';
import { parseDuration } from './duration.ts';

const metricName = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const labelName = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** The groups of one file. Adds a line to `mistakes` for each error. */
export function readRuleFile(file: string, defaultIntervalMs: number, mistakes: string[]): RuleGroup[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (thrown) {
    mistakes.push(`${file}: ${messageOf(thrown)}`);
    return [];
  }
  return parseRules(file, text, defaultIntervalMs, mistakes);
}

/** The groups in `text`; `file` names it in messages. Adds a line to `mistakes` for each error. */
export function parseRules(
  file: string,
  text: string,
  defaultIntervalMs: number,
  mistakes: string[],
): RuleGroup[] {
  let content: unknown;
  try {
    content = parseYaml(text, { maxAliasCount: 100, logLevel: 'error' });
  } catch (thrown) {
    mistakes.push(`${file}: ${messageOf(thrown)}`);
    return [];
  }
  const groups = record(content)?.groups;
  if (groups === undefined || groups === null) return [];
  if (!Array.isArray(groups)) {
    mistakes.push(`${file}: expected \`groups\` to be a list.`);
    return [];
  }
  const names = new Set<string>();
  return groups.flatMap((group: unknown, at) => {
    const where = `${file}: groups[${at}]`;
    const { name, interval, limit, rules } = record(group) ?? {};
    if (typeof name !== 'string' || name === '' || names.has(name)) {
      mistakes.push(`${where}: expected a \`name\` of its own, got ${JSON.stringify(name)}.`);
      return [];
    }
    names.add(name);
    return [
      {
        name,
        file,
        intervalMs: duration(interval, `${where}.interval`, mistakes) ?? defaultIntervalMs,
        limit: typeof limit === 'number' ? limit : 0,
        rules: (Array.isArray(rules) ? rules : []).flatMap(
          (rule, index) => readRule(rule, `${where}.rules[${index}]`, mistakes) ?? [],
        ),
      },
    ];
  });
}

function readRule(given: unknown, where: string, mistakes: string[]): Rule | undefined {
  const rule = record(given) ?? {};
  const { record: recorded, alert, expr } = rule;
  const before = mistakes.length;
  const known = new Set(['record', 'alert', 'expr', 'for', 'keep_firing_for', 'labels', 'annotations']);
  for (const key of Object.keys(rule))
    if (!known.has(key)) mistakes.push(`${where}: unknown key \`${key}\`.`);
  if ((typeof recorded === 'string') === (typeof alert === 'string'))
    mistakes.push(`${where}: expected exactly one of \`record\` and \`alert\`.`);
  if (typeof recorded === 'string' && !metricName.test(recorded))
    mistakes.push(`${where}.record: ${JSON.stringify(recorded)} is not a metric name.`);
  const query = typeof expr === 'number' ? String(expr) : expr;
  if (typeof query !== 'string') mistakes.push(`${where}: \`expr\` is missing.`);
  else {
    try {
      parse(query);
    } catch (thrown) {
      mistakes.push(`${where}.expr: ${messageOf(thrown)}`);
    }
  }
  const result: Rule = {
    kind: typeof alert === 'string' ? 'alerting' : 'recording',
    name: String(recorded ?? alert),
    query: String(query),
    forMs: duration(rule.for, `${where}.for`, mistakes) ?? 0,
    keepFiringForMs: duration(rule.keep_firing_for, `${where}.keep_firing_for`, mistakes) ?? 0,
    labels: texts(rule.labels, `${where}.labels`, mistakes),
    annotations: texts(rule.annotations, `${where}.annotations`, mistakes),
  };
  for (const [kind, templates] of [
    ['labels', result.labels],
    ['annotations', result.annotations],
  ] as const) {
    if (result.kind === 'recording') continue;
    for (const [name, template] of Object.entries(templates)) {
      const wrong = explainTemplate(template);
      if (wrong !== undefined) mistakes.push(`${where}.${kind}.${name}: ${wrong}.`);
    }
  }
  return mistakes.length > before ? undefined : result;
}

function duration(given: unknown, where: string, mistakes: string[]): number | undefined {
  if (given === undefined || given === null) return undefined;
  const ms = typeof given === 'string' ? parseDuration(given) : given === 0 ? 0 : undefined;
  if (ms === undefined)
    mistakes.push(`${where}: expected a duration such as "5m", got ${JSON.stringify(given)}.`);
  return ms;
}

function texts(given: unknown, where: string, mistakes: string[]): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(record(given) ?? {})) {
    if (!labelName.test(name)) mistakes.push(`${where}: ${JSON.stringify(name)} is not a label name.`);
    result[name] = String(value);
  }
  return result;
}

function record(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}
