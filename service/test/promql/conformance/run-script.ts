import { PromqlError } from '../../../src/promql/errors.ts';
import { evaluateInstant, evaluateRange } from '../../../src/promql/evaluate.ts';
import type { QueryResult } from '../../../src/promql/query-result.ts';
import { compareAnnotations, compareResult } from './compare-result.ts';
import { ScriptData, Unsupported } from './script-data.ts';
import { type Evaluation, parseTestScript } from './test-script.ts';

export interface Verdict {
  readonly line: number;
  readonly query: string;
  readonly outcome: 'passed' | 'failed' | 'unsupported';
  /** What is wrong, or what of it the engine leaves out. */
  readonly reason: string;
}

// Prometheus' own runner turns this on.
const options = { delayedNameRemoval: true };

/** Runs a `.test` file; one verdict for each of its evaluations. */
export function runScript(source: string): Verdict[] {
  const verdicts: Verdict[] = [];
  let data = new ScriptData();
  for (const statement of parseTestScript(source)) {
    if (statement.kind === 'clear') data = new ScriptData();
    else if (statement.kind === 'load') data.load(statement);
    else verdicts.push(judge(data, statement));
  }
  return verdicts;
}

function judge(data: ScriptData, evaluation: Evaluation): Verdict {
  const { line, query } = evaluation;
  const about = { line, query };
  try {
    const problem = check(data, evaluation);
    if (problem !== undefined) return { ...about, outcome: 'failed', reason: problem };
    if (evaluation.series.some(({ values }) => values.includes('histogram')))
      return { ...about, outcome: 'unsupported', reason: 'native histograms' };
    return { ...about, outcome: 'passed', reason: '' };
  } catch (error) {
    if (error instanceof Unsupported) return { ...about, outcome: 'unsupported', reason: error.message };
    if (error instanceof PromqlError && error.unsupported)
      return { ...about, outcome: 'unsupported', reason: error.message.replace(/^.*parse error: /, '') };
    return { ...about, outcome: 'failed', reason: String(error) };
  }
}

function check(data: ScriptData, evaluation: Evaluation): string | undefined {
  const { query, startMs, endMs, stepMs, expectations } = evaluation;
  const failure = expectations.find((one) => one.kind === 'fail');
  let result: QueryResult;
  try {
    result =
      stepMs === undefined
        ? evaluateInstant(data, query, startMs, options)
        : evaluateRange(data, query, { startMs, endMs, stepMs }, options);
  } catch (error) {
    if (failure === undefined || !(error instanceof PromqlError) || error.unsupported) throw error;
    return failure.matches(error.message) ? undefined : `failed otherwise than expected: ${error.message}`;
  }
  if (failure !== undefined) return 'expected a failure';
  const wrong = compareAnnotations(expectations, result) ?? compareResult(evaluation, result);
  return wrong ?? (stepMs === undefined ? checkAsRange(data, evaluation, result) : undefined);
}

/** An instant query has to answer the same in the middle of a range query. */
function checkAsRange(data: ScriptData, evaluation: Evaluation, instant: QueryResult): string | undefined {
  const { query, startMs, expectations } = evaluation;
  if (instant.type === 'matrix' || instant.type === 'string') return undefined;
  const range = { startMs: startMs - 60_000, endMs: startMs + 60_000, stepMs: 60_000 };
  const result = evaluateRange(data, query, range, options);
  if (expectations.some((one) => one.kind === 'ordered') || result.type !== 'matrix') return undefined;
  const samples = result.series.flatMap(({ labels, timestamps, values }) => {
    const at = timestamps.indexOf(startMs);
    return at < 0 ? [] : [{ labels, timeMs: startMs, value: values[at] as number }];
  });
  const notes = { warnings: [], infos: [] };
  const middle: QueryResult =
    instant.type === 'scalar'
      ? { type: 'scalar', timeMs: startMs, value: samples[0]?.value ?? Number.NaN, ...notes }
      : { type: 'vector', samples, ...notes };
  const wrong = compareResult(evaluation, middle);
  return wrong === undefined ? undefined : `as a range query: ${wrong}`;
}
