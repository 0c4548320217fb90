import { join } from 'node:path';
import { createMatcher, isStale } from '@weir/promql';
import { createManualClock } from '@weir/test-kit';
import { expect, onTestFinished, test } from 'vitest';
import { parseRules } from '../src/config/rule-file.ts';
import { RuleEvaluator } from '../src/rules/rule-evaluator.ts';
import type { RuleGroup } from '../src/rules/rule-state.ts';
import { MetricStore } from '../src/store/metric-store.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const alert = { alert: 'Bad', expr: 'vector(1)', for: '30s', labels: { severity: 'page' } };
const recording = { record: 'recorded', expr: 'vector(2)' };
const first = { name: 'first', rules: [recording, alert] };
const second = { name: 'second', rules: [{ record: 'other', expr: 'vector(3)' }] };

function rulesOf(groups: readonly object[]): RuleGroup[] {
  const mistakes: string[] = [];
  const parsed = parseRules('rules.yml', JSON.stringify({ groups }), 10_000, mistakes);
  expect(mistakes).toEqual([]);
  return parsed;
}

/** Groups after a reload, and which of the rules' series go on. */
const reloads: Record<string, [groups: readonly object[], goesOn: readonly string[]]> = {
  'without a change': [
    [first, second],
    ['ALERTS', 'ALERTS_FOR_STATE', 'other', 'recorded'],
  ],
  'with groups and rules in another order': [
    [second, { ...first, rules: [alert, recording] }],
    ['ALERTS', 'ALERTS_FOR_STATE', 'other', 'recorded'],
  ],
  'with another interval, expression and annotation': [
    [
      {
        ...first,
        interval: '5s',
        rules: [recording, { ...alert, expr: 'vector(7)', annotations: { summary: 'x' } }],
      },
      second,
    ],
    ['ALERTS', 'ALERTS_FOR_STATE', 'other', 'recorded'],
  ],
  'with another name of the group': [
    [{ ...first, name: 'renamed' }, second],
    ['ALERTS', 'ALERTS_FOR_STATE', 'other', 'recorded'],
  ],
  'with a rule moved to another group': [
    [
      { name: 'first', rules: [recording] },
      { name: 'second', rules: [alert, ...second.rules] },
    ],
    ['ALERTS', 'ALERTS_FOR_STATE', 'other', 'recorded'],
  ],
  'without the alert': [
    [{ ...first, rules: [recording] }, second],
    ['other', 'recorded'],
  ],
  'without the recording': [
    [{ ...first, rules: [alert] }, second],
    ['ALERTS', 'ALERTS_FOR_STATE', 'other'],
  ],
  'without the group': [[second], ['other']],
  'without any group': [[], []],
  'with other labels of the alert': [
    [{ ...first, rules: [recording, { ...alert, labels: { severity: 'ticket' } }] }, second],
    ['other', 'recorded'],
  ],
  'with another name of the alert': [
    [{ ...first, rules: [recording, { ...alert, alert: 'Worse' }] }, second],
    ['other', 'recorded'],
  ],
};

test.each(Object.entries(reloads))(
  'a reload %s: rules that are the same go on, others end at once',
  (_, [groups, goesOn]) => {
    const clock = createManualClock(Date.UTC(2026, 0, 1));
    const store = new MetricStore({
      path: join(temporaryDirectory(), 'metrics.db'),
      retentionMs: 86_400_000,
      now: clock.now,
    });
    onTestFinished(() => store.close());
    const evaluator = new RuleEvaluator(store, {});
    const evaluateAll = (count: number): number => {
      let firing = 0;
      for (let index = 0; index < count; index++)
        firing += evaluator.evaluate(index, clock.now()).firing.length;
      return firing;
    };
    evaluator.setGroups(rulesOf([first, second]), '', clock.now());
    for (let i = 0; i < 3; i++) {
      expect(evaluateAll(2)).toBe(0);
      clock.advance(10_000);
    }
    const before = new Set(store.index.all());
    expect(before.size).toBe(4);
    evaluator.setGroups(rulesOf(groups), '', clock.now());
    const goingOn = [...before].filter(({ isStale: hasEnded }) => !hasEnded);
    expect(goingOn.map(({ labels }) => labels.get('__name__')).sort()).toEqual(goesOn);
    // An alert that goes on has waited for long enough; a new one begins to wait.
    const isKept = goesOn.includes('ALERTS');
    expect(evaluateAll(groups.length)).toBe(isKept ? 1 : 0);
    for (const { labels } of goingOn) {
      const name = labels.get('__name__');
      if (name === 'ALERTS') continue;
      const [series] = store.select([createMatcher('__name__', '=', name)], 0, 1e15);
      expect(
        [...(series?.values ?? [])].filter((__, i) => isStale(series?.values as Float64Array, i)),
      ).toEqual([]);
      expect(series?.timestamps.at(-1)).toBe(clock.now());
    }
  },
);

test('a rule that writes the series of one that is gone writes it from its first evaluation on', () => {
  const clock = createManualClock(Date.UTC(2026, 0, 1));
  const store = new MetricStore({
    path: join(temporaryDirectory(), 'metrics.db'),
    retentionMs: 86_400_000,
    now: clock.now,
  });
  onTestFinished(() => store.close());
  const evaluator = new RuleEvaluator(store, {});
  const load = (expr: string, labels: object): void => {
    evaluator.setGroups(rulesOf([{ name: 'g', rules: [{ record: 'r', expr, labels }] }]), '', clock.now());
    evaluator.evaluate(0, clock.now());
  };
  load('label_replace(vector(1), "zone", "a", "", "")', {});
  clock.advance(10_000);
  load('vector(2)', { zone: 'a' });
  const [series] = store.select([createMatcher('__name__', '=', 'r')], 0, 1e15);
  expect([...(series?.values ?? [])]).toEqual([1, Number.NaN, 2]);
  expect(store.refused).toEqual({ outOfOrder: 0, outOfBounds: 0 });
});
