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

test('names lose the directory that all paths share, and nothing else', () => {
  const namesOf = (...names: string[]): string[] => {
    const frames = names.map((name) => ({ name }));
    const profile = {
      type: 'sampled',
      name: 'head',
      unit: 'microseconds',
      samples: names.map((_, i) => [i]),
    };
    const profiles = [{ ...profile, weights: names.map(() => 1) }];
    return flameTree({ shared: { frames }, profiles }).root.children.map(({ name }) => name);
  };
  expect(namesOf('a /srv/shop/src/a.js:1', 'b /srv/shop/lib/b.js:2', 'c node:events:3', '(idle)')).toEqual([
    'a src/a.js:1',
    'b lib/b.js:2',
    'c node:events:3',
    '(idle)',
  ]);
  expect(namesOf('a /srv/a.js:1', 'b /srv/shop/b.js:2')).toEqual(['a a.js:1', 'b shop/b.js:2']);
  expect(namesOf('a /srv/a.js:1', 'b /opt/b.js:2')).toEqual(['a srv/a.js:1', 'b opt/b.js:2']);
  expect(namesOf('a src/a.js:1')).toEqual(['a src/a.js:1']);
});
