import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { type RedisServer, startRedis } from '@weir/test-kit';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Cache, createCache } from '../src/index.ts';

let server: RedisServer;
let redis: Redis;
let cache: Cache;

beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
  cache = createCache({ name: 'shop', redis });
  await cache.ready();
});
afterAll(async () => {
  await cache.close();
  redis.disconnect();
  await server.stop();
});

function weirCache(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const main = join(import.meta.dirname, '../src/cli/main.ts');
  const all = ['--conditions=@weir/source', main, '--url', server.url, ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, all, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

it('lists, shows and deletes entries; running instances drop them', async () => {
  const product = cache.define('product', { key: String, load: (id: number) => ({ id, at: new Date(0) }) });
  await product.get(42);
  const [list, shown] = await Promise.all([
    weirCache('inspect', '--cache', 'shop', '--json'),
    weirCache('get', 'product:42', '--cache', 'shop'),
  ]);
  expect(JSON.parse(list.stdout)).toMatchObject({ key: 'product:42', ttlMs: expect.any(Number) });
  expect(shown.stdout).toContain('{ id: 42, at: 1970-01-01T00:00:00.000Z }');
  const deleted = await weirCache('del', 'product:42', '--cache', 'shop');
  expect(deleted).toMatchObject({ code: 0, stdout: 'Deleted `product:42` everywhere.\n' });
  expect(await product.peek(42)).toBeUndefined();
  expect(await weirCache('get', 'product:42', '--cache', 'shop')).toMatchObject({ code: 2 });
});

it('lists tags, and invalidates them only when told twice', async () => {
  await cache.getOrSet('k', () => 1, { tags: ['catalogue'] });
  const [list, refused] = await Promise.all([
    weirCache('tags', '--cache', 'shop'),
    weirCache('tags', 'catalogue', '--cache', 'shop'),
  ]);
  expect(list.stdout).toMatch(/^catalogue {2}\d+\n$/);
  expect(refused).toMatchObject({ code: 64, stderr: expect.stringContaining('--yes') });
  expect(await weirCache('tags', 'catalogue', '--cache', 'shop', '--yes')).toMatchObject({ code: 0 });
  expect(await cache.get('k')).toBeUndefined();
});

it('says in one line what is wrong', async () => {
  const [unknown, missing, unreachable, limit] = await Promise.all([
    weirCache('frobnicate', '--cache', 'shop'),
    weirCache('inspect'),
    weirCache('inspect', '--cache', 'shop', '--url', 'redis://127.0.0.1:1'),
    weirCache('inspect', '--cache', 'shop', '--limit', 'all'),
  ]);
  expect(unknown).toMatchObject({
    code: 64,
    stderr: expect.stringContaining('Unknown command `frobnicate`'),
  });
  expect(missing.code).toBe(64);
  expect(limit).toMatchObject({ code: 64, stderr: expect.stringMatching(/^Expected `--limit` .*\n$/) });
  expect(unreachable).toMatchObject({ code: 1, stderr: expect.stringMatching(/^Cannot reach Redis .*\n$/) });
});
