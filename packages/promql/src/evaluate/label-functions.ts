import type { RE2JS } from 're2js';
import { PromqlError } from '../errors.ts';
import type { Labels } from '../labels.ts';
import { type Call, type Expression, unwrap } from '../syntax/ast.ts';
import { quote } from '../syntax/literals.ts';
import { compileRegularExpression } from '../syntax/matcher.ts';
import { type Evaluation, mergeEqual, type StepSeries } from './evaluation.ts';

/** `label_replace(v, target, replacement, source, regex)`: the regex is anchored, and a mismatch changes nothing. */
export function labelReplace(evaluation: Evaluation, call: Call): StepSeries[] {
  const [target, replacement, source, pattern] = call.args.slice(1).map(text) as [
    string,
    string,
    string,
    string,
  ];
  const regex = compile(pattern);
  if (!isLabelName(target))
    throw new PromqlError('execution', `invalid destination label name in label_replace(): ${target}`);
  return relabel(evaluation, call, target, (labels) => {
    const matcher = regex.matcher(labels.get(source));
    if (!matcher.matches()) return undefined;
    return expand(replacement, (name) => groupOf(matcher, name));
  });
}

/** `label_join(v, target, separator, source…)`. */
export function labelJoin(evaluation: Evaluation, call: Call): StepSeries[] {
  const [target, separator, ...sources] = call.args.slice(1).map(text) as [string, string, ...string[]];
  const wrong = sources.find((source) => !isLabelName(source));
  if (wrong !== undefined)
    throw new PromqlError('execution', `invalid source label name in label_join(): ${wrong}`);
  if (!isLabelName(target))
    throw new PromqlError('execution', `invalid destination label name in label_join(): ${target}`);
  return relabel(evaluation, call, target, (labels) =>
    sources.map((source) => labels.get(source)).join(separator),
  );
}

function relabel(
  evaluation: Evaluation,
  call: Call,
  target: string,
  valueFor: (labels: Labels) => string | undefined,
): StepSeries[] {
  const input = evaluation.vector(call.args[0] as Expression);
  const results = input.map((series) => {
    const value = valueFor(series.labels);
    if (value === undefined) return series;
    const dropName = target === '__name__' ? false : series.dropName;
    return { ...series, labels: series.labels.with({ [target]: value }), dropName };
  });
  return mergeEqual(results);
}

/**
 * Replaces `$1`, `$name`, `${1}` and `${name}` as Go does: a bare name is the longest run of letters, digits and
 * underscores, an unknown group is empty, `$$` is a dollar sign, and a dollar sign before anything else stays.
 */
export function expand(template: string, group: (name: string) => string): string {
  return template.replace(/\$(?:\$|\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))/gu, (whole, braced, bare) =>
    whole === '$$' ? '$' : group(braced ?? bare),
  );
}

function groupOf(matcher: ReturnType<RE2JS['matcher']>, name: string): string {
  try {
    return (/^\d+$/.test(name) ? matcher.group(Number(name)) : matcher.group(name)) ?? '';
  } catch {
    return '';
  }
}

/** A match costs groups times steps: hundreds of groups would take milliseconds a series. */
const mostGroups = 100;

function compile(pattern: string): RE2JS {
  try {
    const expression = compileRegularExpression(pattern);
    if (expression.groupCount() > mostGroups)
      throw new Error(`it has ${expression.groupCount()} groups, more than the limit of ${mostGroups}`);
    return expression;
  } catch (error) {
    throw new PromqlError('execution', `invalid regular expression in label_replace(): ${pattern}`, {
      cause: error,
    });
  }
}

function isLabelName(name: string): boolean {
  return name !== '' && name.isWellFormed();
}

function text(argument: Expression): string {
  const literal = unwrap(argument);
  if (literal.kind === 'string') return literal.value;
  throw new PromqlError('internal', `expected a string literal, got ${quote(literal.kind)}`);
}
