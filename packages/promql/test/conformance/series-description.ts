import type { Labels } from '../../src/labels.ts';
import { labelsOf } from '../../src/memory-queryable.ts';

/** One value of a series in the test language; `undefined` where there is none. */
export type SequenceValue = number | 'stale' | 'histogram' | undefined;

export interface SeriesDescription {
  readonly labels: Labels;
  readonly values: readonly SequenceValue[];
  /** The line gives start timestamps, not samples. */
  readonly startTimestamps: boolean;
}

const itemPattern = /\{\{.*?\}\}(?:[+-]\{\{.*?\}\})?(?:x\d+)?|\S+/g;
const number = '(?:\\d+\\.?\\d*(?:[eE][+-]?\\d+)?|\\.\\d+(?:[eE][+-]?\\d+)?|inf|nan)';
const numberItem = new RegExp(`^([+-]?${number})(?:([+-]${number})?x(\\d+))?$`, 'i');

/** `name{label="value"} 1 2+3x4 _ stale {{…}}`. @throws On what is not of this form. */
export function parseSeriesDescription(line: string): SeriesDescription {
  const end = endOfLabels(line);
  const startTimestamps = line.startsWith('@st', end);
  const values = startTimestamps
    ? []
    : [...line.slice(end).matchAll(itemPattern)].flatMap(([item]) => expandItem(item));
  return { labels: labelsOf(line.slice(0, end)), values, startTimestamps };
}

function endOfLabels(line: string): number {
  let at = 0;
  while (at < line.length && !/[\s{@]/.test(line[at] as string)) at++;
  if (line[at] !== '{') return at;
  let quote = '';
  for (at++; at < line.length; at++) {
    const char = line[at] as string;
    if (quote !== '') {
      if (char === '\\' && quote !== '`') at++;
      else if (char === quote) quote = '';
    } else if (char === '"' || char === "'" || char === '`') quote = char;
    else if (char === '}') return at + 1;
  }
  throw new Error(`Expected a closing brace in the series \`${line}\`.`);
}

function expandItem(item: string): SequenceValue[] {
  const repeated = /^(_|stale|\{\{.*\}\})(?:x(\d+))?$/.exec(item);
  if (repeated !== null) {
    const times = repeated[2] === undefined ? undefined : Number(repeated[2]);
    if (repeated[1] === '_') return new Array<SequenceValue>(times ?? 1).fill(undefined);
    const value = repeated[1] === 'stale' ? 'stale' : 'histogram';
    return new Array<SequenceValue>((times ?? 0) + 1).fill(value);
  }
  const match = numberItem.exec(item);
  if (match === null) throw new Error(`Expected a value of a series, got \`${item}\`.`);
  let value = parseNumber(match[1] as string);
  const step = match[2] === undefined ? 0 : parseNumber(match[2]);
  const values: number[] = [];
  for (let i = 0; i <= Number(match[3] ?? 0); i++) {
    values.push(value);
    value += step;
  }
  return values;
}

/** A number as the test language writes it, `+Inf` and `NaN` in any case among them. */
export function parseNumber(text: string): number {
  const plain = text.replace(/^[+-]/, '').toLowerCase();
  const magnitude = plain === 'inf' ? Number.POSITIVE_INFINITY : plain === 'nan' ? Number.NaN : Number(plain);
  return text.startsWith('-') ? -magnitude : magnitude;
}
