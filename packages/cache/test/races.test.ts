/** The proofs of `pnpm prove:cache` in short: same harnesses, fewer rounds, bounds that hold on a loaded machine. */
import { expect, test } from 'vitest';
import { herd } from '../../../benchmarks/cache/herd.ts';
import { changeFromOutside, killSubscribers } from '../../../benchmarks/cache/outside-changes.ts';
import { killHolder, race } from '../../../benchmarks/cache/race.ts';

test('no read that started after a resolved delete sees the old version, over several processes', async () => {
  const { errors, reads, stale, updates } = await race({
    subject: 'weir',
    operations: 4_000,
    seed: 7,
    processes: 3,
  });
  expect(reads + updates).toBeGreaterThanOrEqual(4_000);
  expect({ stale, errors }).toEqual({ stale: 0, errors: 0 });
});

test('the same harness catches a cache without fences', async () => {
  const { stale } = await race({ subject: 'bentocache', operations: 6_000, seed: 7, processes: 3 });
  expect(stale).toBeGreaterThan(0);
});

test('a herd over several processes costs one load', async () => {
  const { loads } = await herd({ processes: 3, rounds: 3, deadlineMs: 10_000, hogs: false });
  expect(loads).toEqual([1, 1, 1]);
});

test('after a SIGKILL of the lease holder the key is loaded by another', async () => {
  // That it takes no longer than the lease is measured by `pnpm prove:cache`.
  expect(await killHolder(500, 100)).toBeGreaterThan(0);
});

test('redis-cli evicts every instance’s memory, whatever the key, and foreign keys disturb nobody', async () => {
  const { changes, disturbedByForeignKeys } = await changeFromOutside();
  expect(changes.filter(({ evictedMs }) => !Number.isFinite(evictedMs))).toEqual([]);
  expect(disturbedByForeignKeys).toBe(0);
});

test('subscribers killed during loads leave no old value behind', async () => {
  expect(await killSubscribers(10)).toEqual({ rounds: 10, stale: 0 });
});
