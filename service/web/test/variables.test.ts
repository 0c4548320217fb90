import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { interpolate, naturalOrder, parseLabelValues, variablesIn } from '../src/model/variables.ts';

test('all three ways of writing a variable are replaced', () => {
  const scope = { job: 'shop' };
  // biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana writes variables so
  expect(interpolate('$job ${job} [[job]] ${job:regex}', scope)).toBe('shop shop shop shop');
});

test('an unknown variable stays as it is written', () => {
  expect(interpolate('up{a=~"$nope"}', {})).toBe('up{a=~"$nope"}');
});

test('several choices become an alternation with every special character escaped', () => {
  expect(interpolate('$instance', { instance: ['127.0.0.1:4041', 'a|b'] })).toBe(
    String.raw`(127\\.0\\.0\\.1:4041|a\\|b)`,
  );
});

test('one choice stands without parentheses', () => {
  expect(interpolate('$job', { job: ['shop'] })).toBe('shop');
});

test('no choice can end the string that it stands in', () => {
  void fc.assert(
    fc.property(fc.string(), (choice) => {
      const text = interpolate('$v', { v: [choice] });
      expect(text.replace(/\\[\\"]|\\./gs, '')).not.toContain('"');
    }),
  );
});

test('the longest name wins: $job is not found in $job_name', () => {
  expect(interpolate('$job_name', { job: 'x' })).toBe('$job_name');
  // biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana writes variables so
  expect([...variablesIn('$a ${b} [[c]]')]).toEqual(['a', 'b', 'c']);
});

test('label_values is read with and without a selector', () => {
  expect(parseLabelValues('label_values(up, job)')).toEqual({ label: 'job', selector: 'up' });
  expect(parseLabelValues('label_values(up{job=~"a,b"}, instance)')).toEqual({
    label: 'instance',
    selector: 'up{job=~"a,b"}',
  });
  expect(parseLabelValues('label_values(job)')).toEqual({ label: 'job', selector: undefined });
  expect(parseLabelValues('query_result(up)')).toBeUndefined();
});

test('values are sorted as people count', () => {
  expect(['shop-10', 'shop-2', 'api'].sort(naturalOrder)).toEqual(['api', 'shop-2', 'shop-10']);
});
