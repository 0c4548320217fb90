import { Labels } from '@weir/promql';

/** A syntax error in a line of an exposition. The parser adds the line's number. */
export class LineError extends Error {
  override readonly name = 'LineError';
}

const metricName = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const labelName = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** Index just past the series at the start of a sample line: its name and its labels, if any. */
export function seriesEnd(line: string): number {
  let at = 0;
  while (at < line.length) {
    const code = line.charCodeAt(at);
    if (code === 32 || code === 9) {
      const next = skipBlanks(line, at);
      return line[next] === '{' ? bracesEnd(line, next) : at;
    }
    if (code === 123) return bracesEnd(line, at);
    at++;
  }
  throw new LineError('expected a value after the metric name');
}

/** Index just past the `}` that closes the `{` at `open`. Braces within quotes do not count. */
export function bracesEnd(line: string, open: number): number {
  let inQuotes = false;
  for (let at = open + 1; at < line.length; at++) {
    const code = line.charCodeAt(at);
    if (inQuotes) {
      if (code === 92) at++;
      else if (code === 34) inQuotes = false;
    } else if (code === 34) inQuotes = true;
    else if (code === 125) return at + 1;
  }
  throw new LineError('expected "}" after the labels');
}

/**
 * The labels of `name{label="value",…}` or, with a quoted UTF-8 name, `{"name",label="value",…}`.
 * @throws LineError
 */
export function parseSeriesText(text: string): Labels {
  const open = text.indexOf('{');
  const name = open === -1 ? text : text.slice(0, open).trimEnd();
  const pairs: [string, string][] = [];
  if (name !== '') {
    if (!metricName.test(name)) throw new LineError(`invalid metric name ${JSON.stringify(name)}`);
    pairs.push(['__name__', name]);
  }
  if (open !== -1) parseLabelPairs(text, open + 1, pairs);
  const metric = pairs.find(([label]) => label === '__name__')?.[1];
  if (metric === undefined) throw new LineError('expected a metric name');
  if (metric.endsWith('_bucket'))
    for (const pair of pairs) if (pair[0] === 'le') pair[1] = bucketBound(pair[1]);
  return distinct(pairs);
}

/**
 * A bucket's bound as OpenMetrics writes it (`1.0` for `1`) and Prometheus 3 stores it. The series of a histogram are then the same in
 * both formats. Text that is not a whole number is returned unchanged.
 */
export function bucketBound(text: string): string {
  const bound = Number(text);
  return text.trim() !== '' && Number.isInteger(bound) && Math.abs(bound) < 1e21 ? `${bound}.0` : text;
}

/** The labels of an exemplar, `{label="value",…}`. */
export function parseLabelSet(text: string): Labels {
  const pairs: [string, string][] = [];
  parseLabelPairs(text, 1, pairs);
  return distinct(pairs);
}

function distinct(pairs: readonly [string, string][]): Labels {
  if (new Set(pairs.map(([label]) => label)).size !== pairs.length)
    throw new LineError('a label is given twice');
  return Labels.from(pairs);
}

function parseLabelPairs(text: string, start: number, pairs: [string, string][]): void {
  let at = skipBlanks(text, start);
  while (text[at] !== '}') {
    let label: string;
    if (text[at] === '"') {
      const quoted = readQuoted(text, at);
      label = quoted.value;
      at = skipBlanks(text, quoted.end);
      if (text[at] !== '=') {
        if (label === '') throw new LineError('expected a metric name between the quotes');
        pairs.push(['__name__', label]);
        at = afterComma(text, at);
        continue;
      }
    } else {
      const equals = text.indexOf('=', at);
      if (equals === -1) throw new LineError('expected "=" after the label name');
      label = text.slice(at, equals).trimEnd();
      if (!labelName.test(label)) throw new LineError(`invalid label name ${JSON.stringify(label)}`);
      at = equals;
    }
    at = skipBlanks(text, at + 1);
    const quoted = readQuoted(text, at);
    pairs.push([label, quoted.value]);
    at = afterComma(text, skipBlanks(text, quoted.end));
  }
}

function afterComma(text: string, at: number): number {
  if (text[at] === ',') return skipBlanks(text, at + 1);
  if (text[at] === '}') return at;
  throw new LineError('expected "," or "}" after a label');
}

function skipBlanks(text: string, start: number): number {
  let at = start;
  while (text[at] === ' ' || text[at] === '\t') at++;
  return at;
}

function readQuoted(text: string, start: number): { value: string; end: number } {
  if (text[start] !== '"') throw new LineError('expected a quoted label value');
  let at = start + 1;
  let value = '';
  let from = at;
  for (;;) {
    const char = text[at];
    if (char === undefined) throw new LineError('a quoted label value is not closed');
    if (char === '"') return { value: value + text.slice(from, at), end: at + 1 };
    if (char !== '\\') {
      at++;
      continue;
    }
    const escaped = text[at + 1];
    value += text.slice(from, at);
    if (escaped === 'n') value += '\n';
    else if (escaped === '\\' || escaped === '"') value += escaped;
    else value += `\\${escaped ?? ''}`;
    at += 2;
    from = at;
  }
}
