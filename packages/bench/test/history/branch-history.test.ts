import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openHistory } from '../../src/index.ts';
import { runResult } from '../run-result.ts';

let directory: string;
const git = (...args: string[]): string =>
  execFileSync('git', ['-c', 'user.name=Weir', '-c', 'user.email=weir@localhost', ...args], {
    cwd: directory,
    encoding: 'utf8',
  }).trim();
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'weir-branch-'));
  git('init', '-q', '-b', 'main');
  await writeFile(join(directory, 'code.txt'), 'one');
  git('add', '.');
  git('commit', '-qm', 'one');
});
afterEach(() => rm(directory, { recursive: true }));

test('results go into a branch of their own, a commit each, and the work tree, the index and HEAD stay as they were', async () => {
  await writeFile(join(directory, 'code.txt'), 'changed');
  await writeFile(join(directory, 'staged.txt'), 'staged');
  git('add', 'staged.txt');
  const before = [git('status', '--porcelain'), git('rev-parse', 'HEAD'), git('symbolic-ref', 'HEAD')];
  const history = openHistory('git:bench', { directory });
  expect(await history.append(runResult('shop page', 1_000))).toMatch(/^bench \([0-9a-f]{10}\)$/);
  await history.append(runResult('search', 50));
  await history.append(runResult('shop page', 900));
  expect([git('status', '--porcelain'), git('rev-parse', 'HEAD'), git('symbolic-ref', 'HEAD')]).toEqual(
    before,
  );
  expect(await readFile(join(directory, 'code.txt'), 'utf8')).toBe('changed');

  const { results } = await history.read('shop page');
  expect(results.map(({ requests }) => requests.perSecond)).toEqual([1_000, 900]);
  expect(git('ls-tree', '--name-only', 'bench').split('\n')).toEqual(['search.jsonl', 'shop%20page.jsonl']);
  expect(git('log', '--format=%s', 'bench').split('\n')).toEqual([
    'shop page: 900 answers/s, p99 2.00 ms',
    'search: 50 answers/s, p99 2.00 ms',
    'shop page: 1,000 answers/s, p99 2.00 ms',
  ]);
  expect(() => git('merge-base', 'main', 'bench')).toThrow();
  expect(git('fsck', '--strict')).toBe('');
});

test('runs that append at the same time lose nothing', async () => {
  const appended = Array.from({ length: 5 }, (_, index) =>
    openHistory('git:bench', { directory }).append(runResult('shop', index)),
  );
  await Promise.all(appended);
  const { results } = await openHistory('git:bench', { directory }).read('shop');
  expect(results.map(({ requests }) => requests.perSecond).sort()).toEqual([0, 1, 2, 3, 4]);
});

test('a clone without the branch continues that of origin', async () => {
  await openHistory('git:bench', { directory }).append(runResult('shop', 1));
  const clone = await mkdtemp(join(tmpdir(), 'weir-clone-'));
  execFileSync('git', ['clone', '-q', directory, clone]);
  const history = openHistory('git:bench', { directory: clone });
  await history.append(runResult('shop', 2));
  execFileSync('git', ['push', '-q', 'origin', 'bench'], { cwd: clone });
  await rm(clone, { recursive: true });
  expect(git('rev-list', '--count', 'bench')).toBe('2');
});

test.each([
  ['main', /is checked out; a history needs a branch of its own/],
  ['code', /holds other files/],
  ['a..b', /is no name for a branch/],
])('nothing is written to %s', async (branch, message) => {
  git('branch', 'code');
  const before = git('for-each-ref');
  await expect(
    openHistory(`git:${branch}`, { directory }).append(runResult('shop', 1)),
  ).rejects.toMatchObject({ code: 'ERR_WEIR_BENCH_HISTORY', message: expect.stringMatching(message) });
  expect(git('for-each-ref')).toBe(before);
});

test('a branch without that history, and a directory that is no repository, are one clear line', async () => {
  await expect(openHistory('git:bench', { directory }).read('shop')).rejects.toThrow(
    'The branch `bench` holds no history of `shop`; append a run, or fetch the branch.',
  );
  const elsewhere = await mkdtemp(join(tmpdir(), 'weir-none-'));
  await expect(
    openHistory('git:bench', { directory: elsewhere }).append(runResult('shop', 1)),
  ).rejects.toThrow(/not a git repository/);
  await rm(elsewhere, { recursive: true });
});
