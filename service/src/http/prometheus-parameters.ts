import { parseDuration } from '../config/duration.ts';
import { badData } from './answers.ts';

const maxPoints = 11_000;
/** What a JavaScript date can hold; also the answer for times given beyond it. */
const maxMs = 8.64e15;

/** Parameters of one request of the Prometheus API: the query string's, and a form's on POST. */
export class ApiParameters {
  readonly #values: URLSearchParams;

  constructor(url: string, body: unknown) {
    const at = url.indexOf('?');
    this.#values = new URLSearchParams(at === -1 ? '' : url.slice(at + 1));
    // The body's values stand first, as in Go's request.Form.
    if (body instanceof URLSearchParams) {
      const merged = new URLSearchParams(body);
      for (const [name, value] of this.#values) merged.append(name, value);
      this.#values = merged;
    }
  }

  text(name: string): string | undefined {
    return this.#values.get(name) ?? undefined;
  }

  all(name: string): string[] {
    return this.#values.getAll(name);
  }

  /** `true` as Go's strconv.ParseBool reads it; absent is false. */
  flag(name: string): boolean {
    const value = this.text(name);
    if (value === undefined || value === '') return false;
    if (/^(1|t|T|TRUE|true|True)$/.test(value)) return true;
    if (/^(0|f|F|FALSE|false|False)$/.test(value)) return false;
    throw badData(`invalid parameter "${name}": cannot parse ${JSON.stringify(value)} as a boolean`);
  }

  required(name: string): string {
    const value = this.text(name);
    if (value === undefined || value === '') throw badData(`invalid parameter "${name}": it is missing`);
    return value;
  }

  /** Float Unix seconds or RFC 3339, in milliseconds. */
  timeMs(name: string): number | undefined {
    const value = this.text(name);
    if (value === undefined || value === '') return undefined;
    const seconds = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value) ? Number(value) : Number.NaN;
    if (!Number.isNaN(seconds)) return Math.max(-maxMs, Math.min(maxMs, Math.round(seconds * 1000)));
    const isRfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i.test(value);
    const ms = isRfc3339 ? Date.parse(value) : Number.NaN;
    if (Number.isNaN(ms)) {
      throw badData(`invalid parameter "${name}": cannot parse "${value}" to a valid timestamp`);
    }
    return ms;
  }

  /** Float seconds or a duration, in milliseconds. */
  durationMs(name: string): number | undefined {
    const value = this.text(name);
    if (value === undefined || value === '') return undefined;
    const ms = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value)
      ? Number(value) * 1000
      : parseDuration(value);
    if (ms === undefined || !Number.isFinite(ms)) {
      throw badData(`invalid parameter "${name}": cannot parse "${value}" to a valid duration`);
    }
    return ms;
  }

  /** 0 when absent. */
  limit(name = 'limit'): number {
    const value = this.text(name);
    if (value === undefined || value === '') return 0;
    if (!/^\d{1,15}$/.test(value)) {
      throw badData(`invalid parameter "${name}": ${JSON.stringify(value)} is not a non-negative number`);
    }
    return Number(value);
  }

  /** `start`, `end` and `step` of a range query, within the number of points that one may ask for. */
  range(): { startMs: number; endMs: number; stepMs: number } {
    this.required('start');
    this.required('end');
    this.required('step');
    const startMs = this.timeMs('start') as number;
    const endMs = this.timeMs('end') as number;
    if (endMs < startMs)
      throw badData('invalid parameter "end": end timestamp must not be before start time');
    const stepMs = this.durationMs('step') as number;
    if (stepMs < 1) {
      throw badData(
        'invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer',
      );
    }
    if ((endMs - startMs) / stepMs > maxPoints) {
      throw badData(
        'exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)',
      );
    }
    return { startMs, endMs, stepMs: Math.floor(stepMs) };
  }
}

/**
 * A label name as a path carries it: the name itself, or `U__` and the escaped name, in which `__` is an underscore and `_2e_` the
 * character of that code point. What begins with `U__` and is no escaped name is taken as written. This is the "values" escaping
 * of Prometheus 3.
 */
export function unescapeLabelName(name: string): string {
  const escaped = /^U__((?:[^_]|__|_[0-9a-fA-F]{1,6}_)*)$/.exec(name)?.[1];
  if (escaped === undefined) return name;
  let isValid = true;
  const result = escaped.replace(/__|_([0-9a-fA-F]+)_/g, (_, hex: string | undefined) => {
    if (hex === undefined) return '_';
    const code = Number.parseInt(hex, 16);
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) isValid = false;
    return isValid ? String.fromCodePoint(code) : '';
  });
  return isValid ? result : name;
}
