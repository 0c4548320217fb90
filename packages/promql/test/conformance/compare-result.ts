import type { Labels } from '../../src/labels.ts';
import type { QueryResult } from '../../src/query.ts';
import type { SequenceValue } from './series-description.ts';
import type { Evaluation, Expectation } from './test-script.ts';

const tolerance = 1e-6;
const minNormal = 2.2250738585072014e-308;

/** Says what is wrong with a result; nothing when it is as expected. */
export function compareResult(evaluation: Evaluation, result: QueryResult): string | undefined {
  switch (result.type) {
    case 'string':
      return result.value === evaluation.text
        ? undefined
        : `expected the string ${evaluation.text}, got ${result.value}`;
    case 'scalar':
      if (evaluation.scalar === undefined) return `expected no scalar, got ${result.value}`;
      return almostEqual(evaluation.scalar, result.value)
        ? undefined
        : `expected ${evaluation.scalar}, got ${result.value}`;
    case 'vector':
      if (evaluation.scalar !== undefined) return 'expected a scalar, got a vector';
      return compareVector(evaluation, result.samples);
    case 'matrix':
      if (evaluation.scalar !== undefined) return 'expected a scalar, got a matrix';
      return compareMatrix(evaluation, result.series);
  }
}

/** Checks the warnings and infos a statement expects or rules out. */
export function compareAnnotations(
  expectations: readonly Expectation[],
  result: QueryResult,
): string | undefined {
  for (const [kind, texts] of [
    ['warn', result.warnings],
    ['info', result.infos],
  ] as const) {
    const wanted = expectations.filter((one) => one.kind === kind);
    const missing = wanted.some((one) => !texts.some((text) => one.matches(text)));
    if (missing) return `expected another ${kind}, got ${JSON.stringify(texts)}`;
    const extra =
      wanted.length > 0 ? texts.find((text) => !wanted.some((one) => one.matches(text))) : undefined;
    if (extra !== undefined) return `unexpected ${kind}: ${extra}`;
    if (expectations.some((one) => one.kind === `no_${kind}`) && texts.length > 0)
      return `expected no ${kind}, got ${JSON.stringify(texts)}`;
  }
  return undefined;
}

function compareVector(
  evaluation: Evaluation,
  samples: readonly { readonly labels: Labels; readonly value: number }[],
): string | undefined {
  const ordered = evaluation.expectations.some((one) => one.kind === 'ordered');
  const wanted = new Map(evaluation.series.map((one, index) => [one.labels.signature, { ...one, index }]));
  for (const [index, { labels, value }] of samples.entries()) {
    const expected = wanted.get(labels.signature);
    if (expected === undefined) return `unexpected ${labels} with ${value}`;
    wanted.delete(labels.signature);
    if (ordered && expected.index !== index)
      return `${labels} stands at ${index}, expected at ${expected.index}`;
    if (!almostEqual(expected.values[0] as number, value))
      return `expected ${expected.values[0]} for ${labels}, got ${value}`;
  }
  const [missing] = wanted.values();
  return missing === undefined
    ? undefined
    : `expected ${missing.labels} with ${missing.values[0]}, got nothing`;
}

function compareMatrix(
  evaluation: Evaluation,
  series: Extract<QueryResult, { type: 'matrix' }>['series'],
): string | undefined {
  const { startMs, stepMs } = evaluation.range ?? evaluation;
  const wanted = new Map(evaluation.series.map((one) => [one.labels.signature, one]));
  for (const [index, { labels, timestamps, values }] of series.entries()) {
    if (index > 0 && (series[index - 1]?.labels.compare(labels) ?? 0) > 0)
      return 'the series are not in order';
    const expected = wanted.get(labels.signature);
    if (expected === undefined) return `unexpected ${labels} with ${[...values].join(' ')}`;
    wanted.delete(labels.signature);
    const points = pointsOf(expected.values, startMs, stepMs ?? 0);
    const got = [...timestamps].map((timeMs, at) => [timeMs, values[at] as number] as const);
    const same =
      points.length === got.length &&
      points.every(([timeMs, value], at) => timeMs === got[at]?.[0] && almostEqual(value, got[at]?.[1] ?? 0));
    if (!same) return `expected ${labels} with ${points.join(' ')}, got ${got.join(' ')}`;
  }
  const [missing] = wanted.values();
  return missing === undefined ? undefined : `expected ${missing.labels}, got nothing`;
}

function pointsOf(
  values: readonly SequenceValue[],
  startMs: number,
  stepMs: number,
): (readonly [number, number])[] {
  return values.flatMap((value, index) =>
    typeof value === 'number' ? [[startMs + index * stepMs, value] as const] : [],
  );
}

function almostEqual(a: number, b: number): boolean {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true;
  const sum = Math.abs(a) + Math.abs(b);
  const difference = Math.abs(a - b);
  if (a === 0 || b === 0 || sum < minNormal) return difference < tolerance * minNormal;
  return difference / Math.min(sum, Number.MAX_VALUE) < tolerance;
}
