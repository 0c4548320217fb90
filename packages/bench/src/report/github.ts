import type { CompareResult } from '../compare/compare-builds.ts';
import { describeObjective } from '../objective.ts';
import type { BenchmarkResult } from '../result.ts';
import { headline } from './compare-table.ts';

/** Workflow commands that GitHub shows on the run and the pull request; empty when there is nothing to say. */
export function runAnnotations(result: BenchmarkResult): string {
  return [
    ...result.objectives
      .filter((objective) => !objective.met)
      .map((objective) => command('error', `${result.name}: objective missed`, describeObjective(objective))),
    ...result.doubts.map((doubt) => command('warning', `${result.name}: not to be believed`, doubt.message)),
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
    ...result.doubts.map((doubt) => command('warning', `${result.name}: not to be believed`, doubt.message)),
  ].join('');
}

function command(level: 'error' | 'warning' | 'notice', title: string, message: string): string {
  const data = (text: string): string =>
    text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
  const property = data(title).replaceAll(':', '%3A').replaceAll(',', '%2C');
  return `::${level} title=${property}::${data(message)}\n`;
}
