import { seededRandom } from '@weir/test-kit';
import { expect, test } from 'vitest';
import { findCulprits, type ProfiledPair } from '../../src/profile/culprits.ts';
import { renderFlameGraph, renderSpeedscope } from '../../src/profile/flame-graph.ts';
import { type CpuProfile, readHeapStacks, readStackTimes } from '../../src/profile/stack-times.ts';

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
    { id: 4, callFrame: frame('', 'node:net', 4), positionTicks: [{ line: 2, ticks: 1 }] },
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
    // Before the function begins: V8 has put code from elsewhere into it.
    ['line 2 of code inlined into (anonymous) node:net:5', 100],
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
    samples: 1,
  });
});

/** Three duets of a server whose functions take unlike shares of a request, as counted by a profiler; `slow` gains a tenth in head. */
function duets(seed: number, slow?: number): ProfiledPair[] {
  const random = seededRandom(seed);
  // Poisson by Knuth's product, for counts of this size.
  const poisson = (mean: number): number => {
    let count = 0;
    for (let product = random(); product > Math.exp(-mean); product *= random()) count += 1;
    return count;
  };
  const arm = (head: boolean): ProfiledPair['base'] => {
    const stacks = new Map<string, number>();
    let samples = 0;
    for (let index = 0; index < 60; index += 1) {
      const counted = poisson((index % 6 === 0 ? 50 : 4) + (head && index === slow ? 70 : 0));
      stacks.set(`main;f${index}`, 1_000 * counted);
      samples += counted;
    }
    return { times: { stacks, lines: new Map(), totalUs: 1_000 * samples, samples }, requests: 40_000 };
  };
  return Array.from({ length: 3 }, () => ({ base: arm(false), head: arm(true) }));
}

test('the function that gained is named first, and none when nothing changed', () => {
  let first = 0;
  let falseAlarms = 0;
  for (let seed = 0; seed < 60; seed += 1) {
    if (findCulprits(duets(seed, seed)).functions[0]?.name === `f${seed}`) first += 1;
    for (let quiet = 0; quiet < 5; quiet += 1) {
      falseAlarms += findCulprits(duets(1_000 + seed * 5 + quiet)).functions.length;
    }
  }
  expect(first).toBe(60);
  expect(falseAlarms).toBe(0);
});

test('a culprit comes with its callers, and with what it calls that takes more too', () => {
  const arm = (own: number, parse: number) => {
    const stacks = new Map([
      ['main', 400_000],
      ['main;handle', own],
      ['main;handle;parse', parse],
      ['main;handle;steady', 100_000],
    ]);
    const totalUs = 500_000 + own + parse;
    return { times: { stacks, lines: new Map(), totalUs, samples: totalUs / 1_000 }, requests: 10_000 };
  };
  const pairs = Array.from({ length: 3 }, () => ({ base: arm(50_000, 20_000), head: arm(250_000, 60_000) }));
  const [first] = findCulprits(pairs).functions;
  expect(first).toMatchObject({ name: 'handle', path: ['main', 'handle'], callees: ['parse'] });
});

test('the flame graph is as wide as head, and its names cannot break out of it', () => {
  const times = (us: number) => ({
    stacks: new Map([
      ['main;<script>', us],
      ['main;b', 50],
    ]),
    lines: new Map<string, number>(),
    totalUs: us,
    samples: 10,
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
