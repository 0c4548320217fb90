import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startTurns } from '../../src/compare/slice-turns.ts';

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'],
  });
});
afterEach(() => {
  vi.useRealTimers();
});

function turnsOf(fromMs: number, toMs: number) {
  const begun: string[] = [];
  const inFlight = { base: 0, head: 0 };
  const beganMs = performance.now();
  const turns = startTurns({
    arms: ['base', 'head'],
    sliceMs: 100,
    fromMs: beganMs + fromMs,
    toMs: beganMs + toMs,
    clock: performance,
  });
  for (const arm of ['base', 'head'] as const) {
    turns.gateOf(arm).attach({ resume: () => begun.push(arm), inFlight: () => inFlight[arm] });
  }
  return { turns, begun, inFlight };
}

test('turns go AB, BA, AB, never both at once, and both get the same measured time', () => {
  const { turns, begun } = turnsOf(200, 1_000);
  for (let step = 0; step < 100; step += 1) {
    expect(turns.gateOf('base').isOpen() && turns.gateOf('head').isOpen()).toBe(false);
    vi.advanceTimersByTime(10);
  }
  // The first turn began before its load was there.
  expect(begun.slice(0, 6)).toEqual(['head', 'head', 'base', 'base', 'head', 'head']);
  expect(turns.openMs('base')).toBeCloseTo(400, -1);
  expect(turns.openMs('head')).toBeCloseTo(400, -1);
  turns.stop();
  expect(vi.getTimerCount()).toBe(0);
});

test('what a turn began is awaited, on its own time, before the other begins', () => {
  const { turns, begun, inFlight } = turnsOf(0, 1_000);
  inFlight.base = 2;
  vi.advanceTimersByTime(130);
  expect(begun).toEqual([]);
  expect(turns.gateOf('base').isOpen()).toBe(false);
  inFlight.base = 1;
  turns.gateOf('base').ended();
  expect(begun).toEqual([]);
  inFlight.base = 0;
  // Nobody polls: that would take the one processor from the server that is waited for.
  vi.advanceTimersByTime(1);
  expect(begun).toEqual([]);
  turns.gateOf('base').ended();
  expect(begun).toEqual([]);
  vi.advanceTimersByTime(0);
  expect(begun).toEqual(['head']);
  expect(turns.openMs('base')).toBeGreaterThanOrEqual(130);
  turns.stop();
});

test('an arm that answers nothing does not keep its turn', () => {
  const { turns, begun, inFlight } = turnsOf(0, 5_000);
  inFlight.base = 1;
  vi.advanceTimersByTime(1_200);
  expect(begun[0]).toBe('head');
  turns.stop();
});
