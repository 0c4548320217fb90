import { expect, test } from 'vitest';
import { annotationMarks } from '../src/model/annotations.ts';

const metric = { alertname: 'TargetDown', job: 'shop' };
const values = [
  [10, '1'],
  [20, '1'],
  [50, '1'],
  [60, '0'],
] as const;

test('a mark stands where a series begins, and again where it returns', () => {
  const annotation = {
    name: 'Alerts',
    titleFormat: '{{alertname}}',
    textFormat: 'job {{job}}',
    iconColor: 'red',
  };
  const marks = annotationMarks(annotation, [{ metric, values }], 10_000);
  expect(marks.map(({ at }) => at)).toEqual([10, 50]);
  expect(marks[0]).toEqual({ at: 10, color: 'var(--g-red)', text: 'TargetDown: job shop' });
});

test('with useValueForTime the values are the moments, each once', () => {
  const deploys = [
    {
      metric,
      values: [
        [10, '5000'],
        [20, '5000'],
        [30, '25000'],
      ] as const,
    },
  ];
  const marks = annotationMarks({ name: 'Deploys', useValueForTime: true }, deploys, 10_000);
  expect(marks.map(({ at }) => at)).toEqual([5, 25]);
});

test('there are never more marks than a chart bears, and the latest stay', () => {
  const many = Array.from({ length: 500 }, (_, index) => [index * 100, '1'] as const);
  const marks = annotationMarks({ name: 'x' }, [{ metric, values: many }], 10_000);
  expect(marks).toHaveLength(100);
  expect(marks.at(-1)?.at).toBe(49_900);
});
