import { expect, test } from 'vitest';
import { displayValue } from '../src/model/display.ts';

const config = {
  unit: 's',
  noValue: 'never ran',
  mappings: [
    { type: 'value', options: { '3': { text: 'worse', color: 'red' } } },
    { type: 'range', options: { from: 10, to: null, result: { text: 'far off' } } },
  ],
  thresholds: { mode: 'absolute', steps: [{ value: null, color: 'green' }] },
};

test.each([
  [3, 'worse', 'red'],
  [25, 'far off', 'green'],
  [2, '2 s', 'green'],
  [null, 'never ran', 'green'],
])('%s is shown by its mapping, or else by unit and thresholds', (value, text, color) => {
  expect(displayValue(config, value)).toEqual({ text, color });
});
