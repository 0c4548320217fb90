import { seededRandom } from '@weir/test-kit';
import { expect, test } from 'vitest';
import { type CpuProfile, readStackTimes } from '../../src/profile/cpu-profile.ts';
import { findCulprits, type ProfiledPair } from '../../src/profile/culprits.ts';
import { renderFlameGraph, renderSpeedscope } from '../../src/profile/flame-graph.ts';
import { readHeapStacks } from '../../src/profile/heap-profile.ts';

const frame = (functionName: string, url = '', lineNumber = 0) => ({ functionName, url, lineNumber });
const profile: CpuProfile = {
  nodes: [
    { id: 1, callFrame: frame('(root)'), children: [2, 5] },
    { id: 2, callFrame: frame('handle', 'file:///app/src/a.js', 9), children: [3, 4] },
    {
      id: 3,
      callFrame: frame('parse;x', 'file:///app/src/b.js', 0),
      positionTicks: [
        { line: 2, ticks: 3 },
        { line: 4, ticks: 1 },
      ],
    },
    { id: 4, callFrame: frame('', 'node:net', 4) },
    { id: 5, callFrame: frame('(idle)') },
  ],
  samples: [3, 5, 4, 3],
  timeDeltas: [0, 400, 9_000, 100],
};

test('a profile adds up to own time by path and by line, without idle time', () => {
  const times = readStackTimes(profile, '/app');
  expect([...times.stacks]).toEqual([
    ['handle src/a.js:10;parse,x src/b.js:1', 400],
    ['handle src/a.js:10;(anonymous) node:net:5', 100],
  ]);
  expect([...times.lines]).toEqual([
    ['src/b.js:2', 300],
    ['src/b.js:4', 100],
  ]);
  expect(times.totalUs).toBe(500);
});

test('a heap profile adds up to bytes by path', () => {
  const heap = {
    head: {
      callFrame: frame('(root)'),
      selfSize: 10,
      children: [{ callFrame: frame('keep', 'file:///app/k.js', 1), selfSize: 64, children: [] }],
    },
  };
  expect(readHeapStacks(heap, '/app')).toEqual({
    stacks: new Map([['keep k.js:2', 64]]),
    lines: new Map(),
    totalUs: 64,
  });
});

/** Three duets of a server with twenty functions; `slow` gains 5 % of a request in head. */
function duets(seed: number, slow?: number): ProfiledPair[] {
  const random = seededRandom(seed);
  const arm = (head: boolean) => {
    const stacks = new Map<string, number>();
    for (let index = 0; index < 20; index += 1) {
      const added = head && index === slow ? 5 : 0;
      stacks.set(`main;f${index}`, 1_000 * (5 + added) * (0.85 + 0.3 * random()));
    }
    return { times: { stacks, lines: new Map<string, number>(), totalUs: 100_000 }, requests: 1_000 };
  };
  return Array.from({ length: 3 }, () => ({ base: arm(false), head: arm(true) }));
}

test('the function that gained is named first, and none when nothing changed', () => {
  let first = 0;
  let falseAlarms = 0;
  for (let seed = 0; seed < 20; seed += 1) {
    if (findCulprits(duets(seed, seed)).functions[0]?.name === `f${seed}`) first += 1;
    falseAlarms += findCulprits(duets(seed)).functions.length;
  }
  expect(first).toBe(20);
  expect(falseAlarms).toBe(0);
});

test('the flame graph is as wide as head, and its names cannot break out of it', () => {
  const times = (us: number) => ({
    stacks: new Map([
      ['main;<script>', us],
      ['main;b', 50],
    ]),
    lines: new Map<string, number>(),
    totalUs: us,
  });
  const svg = renderFlameGraph(
    [{ base: { times: times(50), requests: 1 }, head: { times: times(150), requests: 1 } }],
    'µs',
  );
  expect(svg).not.toContain('<script>');
  expect(svg).toContain('&lt;script&gt;\n150.00 µs a request in head, 50.00 in base (+100.00)');
  expect(svg.match(/<rect/g)).toHaveLength(5);
});

test('the speedscope file holds both builds with every sample inside its frames', () => {
  const file = JSON.parse(renderSpeedscope(duets(1, 1), 'x', 'µs'));
  expect(file.profiles.map((entry: { name: string }) => entry.name)).toEqual([
    'head, a request',
    'base, a request',
  ]);
  for (const entry of file.profiles) {
    expect(entry.samples).toHaveLength(entry.weights.length);
    expect(Math.max(...entry.samples.flat())).toBeLessThan(file.shared.frames.length);
  }
});
