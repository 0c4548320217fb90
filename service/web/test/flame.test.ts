import { expect, test } from 'vitest';
import { flameTree, topFunctions, width } from '../src/model/flame.ts';

const file = {
  shared: { frames: [{ name: 'handle' }, { name: 'render' }, { name: 'escape' }] },
  profiles: [
    {
      type: 'sampled',
      name: 'head, a request',
      unit: 'microseconds',
      samples: [[0], [0, 1], [0, 1, 2]],
      weights: [5, 10, 20],
    },
    { type: 'sampled', name: 'base, a request', unit: 'microseconds', samples: [[0, 1]], weights: [12] },
  ],
};

test('stacks of both builds fall into one tree, with total and own time', () => {
  const { root, unit } = flameTree(file);
  expect(unit).toBe('µs');
  const handle = root.children[0];
  expect(handle).toMatchObject({ name: 'handle', head: 35, base: 12, headSelf: 5, baseSelf: 0 });
  expect(handle?.children[0]).toMatchObject({
    name: 'render',
    head: 30,
    base: 12,
    headSelf: 10,
    baseSelf: 12,
  });
  expect(width(root)).toBe(35);
});

test('the function that differs most comes first', () => {
  expect(topFunctions(flameTree(file).root, 2)).toEqual([
    { name: 'escape', head: 20, base: 0 },
    { name: 'handle', head: 5, base: 0 },
  ]);
});
