import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { type RedisServer, startRedis } from '@weir/test-kit';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { runCommand } from '../src/cli/run-command.ts';
import { type Cache, createCache } from '../src/index.ts';

let server: RedisServer;
let redis: Redis;
let cache: Cache;

beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
  cache = createCache({ name: 'shop', redis, l2: { deadlineMs: 2_000 } });
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

test('lists, shows and deletes entries; running instances drop them', async () => {
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

test('lists tags, and invalidates them only when told twice', async () => {
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

test('says in one line what is wrong', async () => {
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

describe('a name as `inspect` prints it', () => {
  async function run(command: string, operands: string[], json = false) {
    const lines: string[] = [];
    const options = {
      url: server.url,
      cache: 'shop',
      version: '1',
      prefix: 'weir',
      match: '~:*',
      limit: 100,
      json,
      yes: false,
    };
    const code = await runCommand(command, operands, options, (line) => lines.push(line));
    return { code, lines };
  }

  test.each([
    ['plain', 'k'],
    ['long', 'q'.repeat(2_000)],
    ['ill-formed', 'a\ud800b'],
    ['like a hash', '~sha256:dzqHMDU2wrMaB9ygyBL9x3Ca5DBnEdCS2vxEqZxlZ-8'],
    ['with colons and spaces', ':a: b '],
    ['of several lines', 'a\nb\r\u2028c'],
    ['that would steer a terminal', '\u001b[2J\u009b2J\u007f'],
    ['quoted', '"a"'],
    ['with characters of patterns', '*?[a]{b}\\'],
    ['beyond ASCII', 'Größe 😀'],
  ])('is taken by `get` and `del`: a key %s', async (_title, key) => {
    await cache.set(key, 'found');
    const [text, json] = [await run('inspect', []), await run('inspect', [], true)];
    expect([text.lines.length, json.lines.length]).toEqual([1, 1]);
    const [line = ''] = text.lines;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what must not be there
    expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028]/);
    const name = line.replace(/ {2}\d+ s {2}\d+ B$/, '');
    const { key: raw } = JSON.parse(json.lines[0] ?? '') as { key: string };
    for (const operand of [name, raw, `~:${key}`]) {
      expect(await run('get', [operand])).toMatchObject({
        code: 0,
        lines: [expect.stringContaining("'found'")],
      });
    }
    expect(await run('del', [name])).toMatchObject({ code: 0, lines: [expect.stringContaining('Deleted')] });
    expect(await cache.get(key)).toBeUndefined();
    expect(await run('get', [name])).toMatchObject({ code: 2 });
  });

  test('is not said to be deleted when there is no such entry; memory drops it all the same', async () => {
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    await cache.getOrSet('instance', () => new (class Account {})());
    expect(await run('del', ['~:instance'])).toEqual({
      code: 2,
      lines: ['No entry `~:instance` in Redis; instances dropped what they held in memory.'],
    });
    expect(await cache.get('instance')).toBeUndefined();
    await expect(run('get', ['"~:instance'])).rejects.toMatchObject({ exitCode: 64 });
  });
});

test('finds, deletes and invalidates what a client with a key prefix has stored', async () => {
  for (const keyPrefix of ['app:', '{app}', 'app-']) {
    const client = new Redis(server.url, { keyPrefix });
    const prefixed = createCache({ name: 'prefixed', redis: client, l2: { deadlineMs: 2_000 } });
    await prefixed.ready();
    for (const key of ['k', 'tagged']) await prefixed.set(key, 'stored', { tags: ['t'] });
    const flags = ['--cache', 'prefixed', '--prefix', `${keyPrefix}weir`];
    expect(await weirCache('get', '~:k', ...flags)).toMatchObject({ code: 0 });
    expect(await weirCache('del', '~:k', ...flags)).toMatchObject({
      code: 0,
      stdout: 'Deleted `~:k` everywhere.\n',
    });
    expect([await prefixed.get('k'), await prefixed.get('tagged')]).toEqual([undefined, 'stored']);
    expect(await weirCache('tags', 't', '--yes', ...flags)).toMatchObject({ code: 0 });
    expect(await prefixed.get('tagged')).toBeUndefined();
    await prefixed.close();
    client.disconnect();
  }
  expect(await weirCache('del', '~:k', '--cache', 'shop', '--prefix', 'app:')).toMatchObject({ code: 64 });
});
