import { appendFile } from 'node:fs/promises';
import type { CompareResult } from '../compare/compare-builds.ts';
import { OptionError } from '../errors.ts';
import { writeOutput } from '../process/output-files.ts';
import type { BenchmarkResult } from '../result/result.ts';
import { comparisonAnnotations, renderComparisonJunit, renderRunJunit, runAnnotations } from './ci.ts';
import { renderComparisonCsv, renderPrometheus, renderRunCsv } from './data.ts';
import { renderComparisonHtml, renderRunHtml } from './html.ts';
import { renderComparisonMarkdown, renderRunMarkdown } from './markdown.ts';
import { type ProfileSummary, renderComparison, renderCulprits, renderTable } from './table.ts';

/** Kinds of report. `text` is what the terminal shows, `github` the workflow commands that annotate a pull request. */
export type ReportKind = 'text' | 'html' | 'markdown' | 'junit' | 'csv' | 'prometheus' | 'json' | 'github';

/** A report and where it goes. */
interface ReportRequest {
  readonly kind: ReportKind;
  readonly file: string;
}

/** The subject of a report. */
export type ReportSubject =
  | { readonly kind: 'run'; readonly result: BenchmarkResult }
  | {
      readonly kind: 'comparison';
      readonly result: CompareResult;
      /** Profile of a slower build, whose culprits text, HTML and Markdown name. */
      readonly profile?: ProfileSummary;
    };

const kinds: readonly ReportKind[] = [
  'text',
  'html',
  'markdown',
  'junit',
  'csv',
  'prometheus',
  'json',
  'github',
];

/** Parses `<kind>=<file>`. @throws {@link OptionError} for an unknown kind, or one that the subject does not have */
export function parseReport(text: string, subject: ReportSubject['kind']): ReportRequest {
  const equals = text.indexOf('=');
  const kind = kinds.find((known) => known === text.slice(0, equals));
  if (kind === undefined || equals === text.length - 1) {
    throw new OptionError(`Expected a report as <kind>=<file>, got \`${text}\`. Kinds: ${kinds.join(', ')}.`);
  }
  if (subject === 'comparison' && kind === 'prometheus') throw noPrometheus();
  return { kind, file: text.slice(equals + 1) };
}

function noPrometheus(): OptionError {
  return new OptionError('A comparison has no Prometheus report. Report a run, or use json.');
}

/** Renders one report. @throws {@link OptionError} for `prometheus` of a comparison, which exists for a run only */
export function renderReport(subject: ReportSubject, kind: ReportKind): string {
  const { result } = subject;
  switch (kind) {
    case 'text':
      if (subject.kind === 'run') return `${renderTable(subject.result)}\n`;
      return `${renderComparison(subject.result)}\n${subject.profile === undefined ? '' : `\n${renderCulprits(subject.profile)}`}`;
    case 'github':
      return subject.kind === 'run' ? runAnnotations(subject.result) : comparisonAnnotations(subject.result);
    case 'json':
      return `${JSON.stringify(result, null, 2)}\n`;
    case 'html':
      return subject.kind === 'run'
        ? renderRunHtml(subject.result)
        : renderComparisonHtml(subject.result, subject.profile);
    case 'markdown':
      return subject.kind === 'run'
        ? renderRunMarkdown(subject.result)
        : renderComparisonMarkdown(subject.result, subject.profile);
    case 'junit':
      return subject.kind === 'run' ? renderRunJunit(subject.result) : renderComparisonJunit(subject.result);
    case 'csv':
      return subject.kind === 'run' ? renderRunCsv(subject.result) : renderComparisonCsv(subject.result);
    case 'prometheus':
      if (subject.kind === 'run') return renderPrometheus(subject.result);
      throw noPrometheus();
  }
}

/** Tasks that write the reports, one each. Under GitHub Actions, further tasks write annotations and the step summary. */
export function reportTasks(
  subject: ReportSubject,
  requests: readonly ReportRequest[],
  environment: { readonly env: NodeJS.ProcessEnv; readonly stdout: { write(text: string): unknown } },
): (() => Promise<unknown>)[] {
  const { env, stdout } = environment;
  const files = requests.map(
    ({ kind, file }) =>
      () =>
        writeOutput(file, renderReport(subject, kind)),
  );
  if (env.GITHUB_ACTIONS !== 'true') return files;
  const annotate = async (): Promise<unknown> => stdout.write(renderReport(subject, 'github'));
  const { GITHUB_STEP_SUMMARY: summary } = env;
  if (!summary) return [...files, annotate];
  return [...files, annotate, () => appendFile(summary, renderReport(subject, 'markdown'))];
}
