import { RE2JS } from 're2js';
import { parseDuration, unquote } from '../../src/syntax/literals.ts';
import { parseNumber, parseSeriesDescription, type SeriesDescription } from './series-description.ts';

export type Expectation = {
  readonly kind: 'fail' | 'warn' | 'no_warn' | 'info' | 'no_info' | 'ordered';
  readonly matches: (text: string) => boolean;
};

export interface Evaluation {
  readonly kind: 'eval';
  readonly line: number;
  readonly query: string;
  /** An instant query where start and end are one and `stepMs` is `undefined`. */
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number | undefined;
  readonly expectations: readonly Expectation[];
  readonly scalar: number | undefined;
  readonly text: string | undefined;
  readonly series: readonly SeriesDescription[];
  /** `expect range vector`: the times of the values of an instant query's range vector. */
  readonly range: { readonly startMs: number; readonly endMs: number; readonly stepMs: number } | undefined;
}

export type Statement =
  | { readonly kind: 'clear' }
  | {
      readonly kind: 'load';
      readonly gapMs: number;
      readonly customBuckets: boolean;
      readonly series: readonly SeriesDescription[];
    }
  | { readonly kind: 'unreadable'; readonly line: number; readonly text: string; readonly why: string }
  | Evaluation;

const instantPattern = /^eval(?:_(fail|warn|ordered|info))?\s+instant\s+(?:at\s+(.+?))?\s+(.+)$/;
const rangePattern = /^eval(?:_(fail|warn|info))?\s+range\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+?)\s+(.+)$/;

/** Reads a `.test` file of the Prometheus test language. What it cannot read is a statement of its own. */
export function parseTestScript(source: string): Statement[] {
  const lines = source.split('\n').map((line) => (line.trim().startsWith('#') ? '' : line.trim()));
  const statements: Statement[] = [];
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] as string;
    if (line === '') continue;
    let end = i + 1;
    while (lines[end] !== undefined && lines[end] !== '') end++;
    const body = lines.slice(i + 1, end);
    try {
      if (/^clear\b/i.test(line)) {
        statements.push({ kind: 'clear' });
        continue;
      }
      statements.push(parseStatement(line, body, i + 1));
    } catch (error) {
      statements.push({ kind: 'unreadable', line: i + 1, text: line, why: (error as Error).message });
    }
    i = end - 1;
  }
  return statements;
}

function parseStatement(line: string, body: readonly string[], number: number): Statement {
  if (/^load/i.test(line)) return parseLoad(line, body);
  if (/^eval/i.test(line)) return parseEvaluation(line, body, number);
  throw new Error(`Expected load, clear or eval, got \`${line}\`.`);
}

function parseLoad(line: string, body: readonly string[]): Statement {
  const match = /^load(_with_nhcb)?\s+(\S+)$/.exec(line);
  if (match === null) throw new Error(`Expected \`load <interval>\`, got \`${line}\`.`);
  const series = body.map(parseSeriesDescription);
  return { kind: 'load', gapMs: duration(match[2] as string), customBuckets: match[1] !== undefined, series };
}

function parseEvaluation(line: string, body: readonly string[], number: number): Evaluation {
  const range = rangePattern.exec(line);
  const instant = range === null ? instantPattern.exec(line) : null;
  const match = range ?? instant;
  if (match === null) throw new Error(`Expected \`eval instant\` or \`eval range\`, got \`${line}\`.`);
  const startMs = duration(match[2] ?? '0');
  const expectations: Expectation[] = [];
  if (match[1] !== undefined)
    expectations.push({ kind: match[1] as Expectation['kind'], matches: () => true });
  const expected = parseBody(body, expectations);
  return {
    kind: 'eval',
    line: number,
    query: (range === null ? match[3] : match[5]) as string,
    startMs,
    endMs: range === null ? startMs : duration(match[3] as string),
    stepMs: range === null ? undefined : duration(match[4] as string),
    expectations,
    ...expected,
  };
}

function parseBody(
  body: readonly string[],
  expectations: Expectation[],
): Pick<Evaluation, 'scalar' | 'text' | 'series' | 'range'> {
  let scalar: number | undefined;
  let text: string | undefined;
  let range: Evaluation['range'];
  const series: SeriesDescription[] = [];
  for (const line of body) {
    const span = /^expect range vector\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+)$/.exec(line);
    const deprecated = /^expected_fail_(message|regexp)\s+(.+)$/.exec(line);
    if (span !== null) {
      const [startMs, endMs, stepMs] = span.slice(1).map(duration) as [number, number, number];
      range = { startMs, endMs, stepMs };
    } else if (line.startsWith('expect string ')) text = unquote(line.slice('expect string '.length));
    else if (/^expect\s/.test(line)) expectations.push(parseExpectation(line));
    else if (deprecated !== null) {
      const mode = deprecated[1] === 'message' ? 'msg' : 'regex';
      expectations.push({ kind: 'fail', matches: matching(mode, deprecated[2] as string) });
    } else if (/^[+-]?(?:[\d.]|inf$|nan$)/i.test(line)) scalar = parseNumber(line);
    else series.push(parseSeriesDescription(line));
  }
  return { scalar, text, series, range };
}

function parseExpectation(line: string): Expectation {
  const match = /^expect\s+(ordered|fail|warn|no_warn|info|no_info)(?:\s+(regex|msg):(.+))?$/.exec(line);
  if (match === null) throw new Error(`Expected \`expect <type> [msg|regex: <text>]\`, got \`${line}\`.`);
  return { kind: match[1] as Expectation['kind'], matches: matching(match[2], match[3] ?? '') };
}

function matching(mode: string | undefined, text: string): (given: string) => boolean {
  const wanted = text.trim();
  if (mode === undefined) return () => true;
  if (mode === 'msg') return (given) => given === wanted;
  const pattern = RE2JS.compile(wanted);
  return (given) => pattern.matcher(given).find();
}

function duration(text: string): number {
  const negative = text.startsWith('-');
  const plain = negative ? text.slice(1) : text;
  const ms = /^\d+(?:\.\d+)?$/.test(plain) ? Number(plain) * 1000 : parseDuration(plain);
  if (typeof ms !== 'number') throw new Error(`Expected a duration, got \`${text}\`.`);
  return negative ? -ms : ms;
}
