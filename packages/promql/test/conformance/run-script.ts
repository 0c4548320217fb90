import { PromqlError } from '../../src/errors.ts';
import { evaluateInstant, evaluateRange, type QueryResult } from '../../src/query.ts';
import { atVariants } from './at-variants.ts';
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
    else if (statement.kind === 'unreadable')
      verdicts.push({
        line: statement.line,
        query: statement.text,
        outcome: 'failed',
        reason: statement.why,
      });
    else verdicts.push(judge(data, statement));
  }
  return verdicts;
}

function judge(data: ScriptData, evaluation: Evaluation): Verdict {
  const { line, query } = evaluation;
  const about = { line, query };
  if (evaluation.series.some(({ values }) => values.includes('histogram')))
    return { ...about, outcome: 'unsupported', reason: 'native histograms' };
  try {
    const problem = check(data, evaluation);
    if (problem !== undefined) return { ...about, outcome: 'failed', reason: problem };
    return { ...about, outcome: 'passed', reason: '' };
  } catch (error) {
    if (error instanceof Unsupported) return { ...about, outcome: 'unsupported', reason: error.message };
    if (error instanceof PromqlError && error.unsupported)
      return { ...about, outcome: 'unsupported', reason: error.message.replace(/^.*parse error: /, '') };
    return { ...about, outcome: 'failed', reason: String(error) };
  }
}

function check(data: ScriptData, evaluation: Evaluation): string | undefined {
  const { query, startMs, endMs, stepMs } = evaluation;
  if (stepMs !== undefined)
    return attempt(evaluation, () => evaluateRange(data, query, { startMs, endMs, stepMs }, options)).wrong;
  const first = checkInstant(data, evaluation, query, startMs);
  if (first.wrong !== undefined || first.result === undefined) return first.wrong;
  for (const variant of atVariants(query, startMs)) {
    const { wrong } = checkInstant(data, evaluation, variant.query, variant.timeMs);
    if (wrong !== undefined) return `as ${variant.query} at ${variant.timeMs}: ${wrong}`;
  }
  return undefined;
}

interface Attempt {
  readonly wrong: string | undefined;
  /** `undefined` where the query failed, rightly or not. */
  readonly result: QueryResult | undefined;
}

function attempt(evaluation: Evaluation, evaluate: () => QueryResult): Attempt {
  const { expectations } = evaluation;
  const failure = expectations.find((one) => one.kind === 'fail');
  let result: QueryResult;
  try {
    result = evaluate();
  } catch (error) {
    if (failure === undefined || !(error instanceof PromqlError) || error.unsupported) throw error;
    const wrong = failure.matches(error.message)
      ? undefined
      : `failed otherwise than expected: ${error.message}`;
    return { wrong, result: undefined };
  }
  if (failure !== undefined) return { wrong: 'expected a failure', result };
  return { wrong: compareAnnotations(expectations, result) ?? compareResult(evaluation, result), result };
}

/** An instant query, which has to answer the same in the middle of a range query. */
function checkInstant(data: ScriptData, evaluation: Evaluation, query: string, timeMs: number): Attempt {
  const { wrong, result } = attempt(evaluation, () => evaluateInstant(data, query, timeMs, options));
  if (wrong !== undefined || result === undefined || result.type === 'matrix' || result.type === 'string')
    return { wrong, result };
  const range = { startMs: timeMs - 60_000, endMs: timeMs + 60_000, stepMs: 60_000 };
  const asRange = evaluateRange(data, query, range, options);
  if (evaluation.expectations.some((one) => one.kind === 'ordered') || asRange.type !== 'matrix')
    return { wrong, result };
  const samples = asRange.series.flatMap(({ labels, timestamps, values }) => {
    const at = timestamps.indexOf(timeMs);
    return at < 0 ? [] : [{ labels, timeMs, value: values[at] as number }];
  });
  const notes = { warnings: [], infos: [] };
  const middle: QueryResult =
    result.type === 'scalar'
      ? { type: 'scalar', timeMs, value: samples[0]?.value ?? Number.NaN, ...notes }
      : { type: 'vector', samples, ...notes };
  const differs = compareResult(evaluation, middle);
  return { wrong: differs === undefined ? undefined : `as a range query: ${differs}`, result };
}
