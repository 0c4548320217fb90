import { TextDecoder } from 'node:util';
import { messageOf, ServiceError } from '../errors.ts';
import { bracesEnd, LineError, seriesEnd } from './series-text.ts';

/** Receives what the parser reads. `seriesText` is raw: a caller that knows the text does not have to parse its labels again. */
interface ExpositionHandler {
  /** `timeMs` is `undefined` for a sample without a timestamp. */
  sample(seriesText: string, value: number, timeMs: number | undefined): void;
  /** The series text that most likely comes next. When a line begins with it, the parser does not search for the text's end. */
  expected?(): string | undefined;
  /** Follows the sample it belongs to. */
  exemplar?(labelsText: string, value: number, timeMs: number | undefined): void;
  metadata?(metric: string, kind: 'help' | 'type' | 'unit', text: string): void;
}

export type ExpositionFormat = 'text' | 'openmetrics';

/** The format for a content type. Anything but OpenMetrics is read as the text format. */
export function expositionFormat(contentType: string | undefined): ExpositionFormat {
  return contentType?.trimStart().startsWith('application/openmetrics-text') ? 'openmetrics' : 'text';
}

const maxLineLength = 1_048_576;

/**
 * Parses the Prometheus text format 0.0.4 and OpenMetrics 1.0, in pieces that may end anywhere. Memory is bounded by the longest
 * line, 1,048,576 characters at most.
 */
export class ExpositionParser {
  readonly #format: ExpositionFormat;
  readonly #handler: ExpositionHandler;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });
  #rest = '';
  #line = 0;
  #isEnded = false;

  constructor(format: ExpositionFormat, handler: ExpositionHandler) {
    this.#format = format;
    this.#handler = handler;
  }

  /** @throws ServiceError `ERR_WEIR_SERVICE_EXPOSITION` with the number of the first bad line. */
  push(bytes: Uint8Array): void {
    this.#take(this.#decode(bytes, true));
  }

  /** @throws ServiceError `ERR_WEIR_SERVICE_EXPOSITION`, also when OpenMetrics lacks its `# EOF`. */
  end(): void {
    this.#take(this.#decode(undefined, false));
    if (this.#rest !== '') this.#parseLine(this.#rest);
    this.#rest = '';
    if (this.#format === 'openmetrics' && !this.#isEnded) this.#fail('expected "# EOF" at the end');
  }

  #decode(bytes: Uint8Array | undefined, stream: boolean): string {
    try {
      return this.#decoder.decode(bytes, { stream });
    } catch {
      return this.#fail('the text is not UTF-8');
    }
  }

  #take(text: string): void {
    let start = 0;
    for (;;) {
      const end = text.indexOf('\n', start);
      if (end === -1) break;
      this.#parseLine(start === 0 ? this.#rest + text.slice(0, end) : text.slice(start, end));
      if (start === 0) this.#rest = '';
      start = end + 1;
    }
    this.#rest = start === 0 ? this.#rest + text : text.slice(start);
    if (this.#rest.length > maxLineLength) this.#fail(`longer than ${maxLineLength} characters`);
  }

  #parseLine(raw: string): void {
    this.#line++;
    const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
    if (line.length > maxLineLength) this.#fail(`longer than ${maxLineLength} characters`);
    if (this.#isEnded) {
      if (line !== '') this.#fail('nothing may follow "# EOF"');
      return;
    }
    try {
      const first = line.charCodeAt(0);
      if (first === 35) this.#comment(line);
      else if (first === 32 || first === 9) {
        const trimmed = line.trim();
        if (trimmed.startsWith('#')) this.#comment(trimmed);
        else if (trimmed !== '') this.#sample(trimmed);
      } else if (line !== '') this.#sample(line);
    } catch (thrown) {
      if (!(thrown instanceof LineError)) throw thrown;
      this.#fail(messageOf(thrown));
    }
  }

  #comment(line: string): void {
    if (line === '# EOF' && this.#format === 'openmetrics') {
      this.#isEnded = true;
      return;
    }
    const match = /^#[ \t]+(HELP|TYPE|UNIT)[ \t]+("(?:[^"\\]|\\.)*"|\S+)(?:[ \t](.*))?$/.exec(line);
    if (match === null) return;
    const quoted = match[2] as string;
    const metric = quoted.startsWith('"') ? quoted.slice(1, -1) : quoted;
    const text = match[3] ?? '';
    if (match[1] === 'TYPE') this.#handler.metadata?.(metric, 'type', text.trim());
    else if (match[1] === 'UNIT') this.#handler.metadata?.(metric, 'unit', text.trim());
    else this.#handler.metadata?.(metric, 'help', text.replaceAll('\\n', '\n').replaceAll('\\\\', '\\'));
  }

  #sample(line: string): void {
    const series = this.#series(line);
    const end = series.length;
    const exemplarAt = this.#format === 'openmetrics' ? line.indexOf(' # {', end) : -1;
    const fields = splitFields(exemplarAt === -1 ? line.slice(end) : line.slice(end, exemplarAt));
    if (fields.length === 0) throw new LineError('expected a value after the series');
    if (fields.length > 2) throw new LineError('expected the end of the line after the timestamp');
    this.#handler.sample(
      series,
      parseValue(fields[0] as string),
      fields[1] === undefined ? undefined : this.#parseTime(fields[1]),
    );
    if (exemplarAt !== -1) this.#exemplar(line, exemplarAt + 3);
  }

  #series(line: string): string {
    const expected = this.#handler.expected?.();
    // A text without labels may be followed by new ones.
    const isExpected = expected?.endsWith('}') === true && line.slice(0, expected.length) === expected;
    return isExpected ? expected : line.slice(0, seriesEnd(line));
  }

  #exemplar(line: string, open: number): void {
    const end = bracesEnd(line, open);
    const fields = splitFields(line.slice(end));
    if (fields.length === 0 || fields.length > 2)
      throw new LineError('expected one value after the exemplar');
    this.#handler.exemplar?.(
      line.slice(open, end),
      parseValue(fields[0] as string),
      fields[1] === undefined ? undefined : this.#parseTime(fields[1]),
    );
  }

  #parseTime(text: string): number {
    if (this.#format === 'openmetrics') {
      const seconds = parseValue(text);
      if (!Number.isFinite(seconds)) throw new LineError(`invalid timestamp ${JSON.stringify(text)}`);
      return Math.round(seconds * 1000);
    }
    if (!/^-?\d{1,15}$/.test(text)) throw new LineError(`invalid timestamp ${JSON.stringify(text)}`);
    return Number(text);
  }

  #fail(reason: string): never {
    throw new ServiceError('ERR_WEIR_SERVICE_EXPOSITION', `line ${this.#line}: ${reason}`);
  }
}

function splitFields(text: string): string[] {
  const trimmed = text.trim();
  return trimmed === '' ? [] : trimmed.split(/[ \t]+/);
}

const decimal = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

function parseValue(text: string): number {
  if (decimal.test(text)) return Number(text);
  switch (text.toLowerCase()) {
    case 'nan':
      return Number.NaN;
    case '+inf':
    case 'inf':
    case '+infinity':
    case 'infinity':
      return Number.POSITIVE_INFINITY;
    case '-inf':
    case '-infinity':
      return Number.NEGATIVE_INFINITY;
    default:
      throw new LineError(`invalid number ${JSON.stringify(text)}`);
  }
}
