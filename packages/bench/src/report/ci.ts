import type { CompareResult } from '../compare/compare-builds.ts';
import { describeObjective } from '../result/check-objective.ts';
import { escapeMarkup } from '../result/format.ts';
import type { BenchmarkResult } from '../result/result.ts';
import { headline, labelOf, signed } from './table.ts';

/** Workflow commands that GitHub shows on the run and the pull request; empty without missed objectives and doubts. */
export function runAnnotations(result: BenchmarkResult): string {
  return [
    ...result.objectives
      .filter((objective) => !objective.met)
      .map((objective) => command('error', `${result.name}: objective missed`, describeObjective(objective))),
    ...result.doubts.map((doubt) => command('warning', `${result.name}: unreliable`, doubt.message)),
  ].join('');
}

/** One command for the verdict, one for each doubt. */
export function comparisonAnnotations(result: CompareResult): string {
  const levels = {
    slower: 'error',
    invalid: 'warning',
    inconclusive: 'warning',
    same: 'notice',
    faster: 'notice',
  } as const;
  return [
    command(levels[result.verdict], result.name, headline(result)),
    ...result.doubts.map((doubt) => command('warning', `${result.name}: unreliable`, doubt.message)),
  ].join('');
}

function command(level: 'error' | 'warning' | 'notice', title: string, message: string): string {
  const data = (text: string): string =>
    text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
  const property = data(title).replaceAll(':', '%3A').replaceAll(',', '%2C');
  return `::${level} title=${property}::${data(message)}\n`;
}

interface TestCase {
  readonly name: string;
  readonly failure?: string;
  /** Neither passed nor failed. */
  readonly skipped?: string;
}

/** A comparison as JUnit, one case per metric and per doubt. An undecided metric is skipped; a doubt is an error. */
export function renderComparisonJunit(result: CompareResult): string {
  const cases = result.metrics.map((metric): TestCase => {
    const interval = `${signed(metric.interval[0])} … ${signed(metric.interval[1])}`;
    const text = `${signed(metric.effect)} (${interval}), p = ${metric.p.toPrecision(2)}`;
    const name = `${labelOf(metric)} of ${result.head} against ${result.base}`;
    if (metric.verdict === 'slower') return { name, failure: `slower by ${text}` };
    return metric.verdict === 'inconclusive' ? { name, skipped: `inconclusive: ${text}` } : { name };
  });
  return render(result.name, result.durationMs, result.startedAt, [
    ...cases,
    ...result.doubts.map(doubtCase),
  ]);
}

/** A run as JUnit, with one case for the measurement, one for each objective and one for each doubt. */
export function renderRunJunit(result: BenchmarkResult): string {
  const answered = result.requests.ok + result.requests.non2xx > 0;
  const cases: TestCase[] = [
    answered ? { name: 'answers' } : { name: 'answers', failure: 'no request was answered' },
    ...result.objectives.map((objective) =>
      objective.met
        ? { name: objective.expression }
        : { name: objective.expression, failure: describeObjective(objective) },
    ),
    ...result.doubts.map(doubtCase),
  ];
  return render(result.name, result.durationMs, result.startedAt, cases);
}

function doubtCase({ code, message }: { readonly code: string; readonly message: string }): TestCase {
  return { name: `believable: ${code}`, failure: message };
}

function render(suite: string, durationMs: number, startedAt: string, cases: readonly TestCase[]): string {
  const count = (key: 'failure' | 'skipped'): number =>
    cases.filter((entry) => entry[key] !== undefined).length;
  const time = (durationMs / 1_000).toFixed(3);
  const name = escapeMarkup(suite);
  const totals = `tests="${cases.length}" failures="${count('failure')}" skipped="${count('skipped')}" errors="0"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${totals} time="${time}">`,
    `  <testsuite name="${name}" ${totals} time="${time}" timestamp="${startedAt}">`,
    ...cases.map((entry) => renderCase(name, entry)),
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

function renderCase(suite: string, { name, failure, skipped }: TestCase): string {
  const open = `    <testcase classname="${suite}" name="${escapeMarkup(name)}"`;
  if (failure !== undefined) return `${open}><failure message="${escapeMarkup(failure)}"/></testcase>`;
  if (skipped !== undefined) return `${open}><skipped message="${escapeMarkup(skipped)}"/></testcase>`;
  return `${open}/>`;
}
