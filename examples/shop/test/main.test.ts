import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, type PostgresDatabase, run, startPostgres } from '@weir/test-kit';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

const main = new URL('../src/main.ts', import.meta.url).pathname;
let database: PostgresDatabase;

beforeAll(async () => {
  database = await startPostgres();
});

afterAll(async () => {
  await database?.stop();
});

/** Shops that a failed test has left. */
const running = new Set<ChildProcess>();
afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
});

function start(env: NodeJS.ProcessEnv) {
  const child = spawn(process.execPath, ['--conditions=@weir/source', main], {
    env: { ...process.env, PORT: '0', DATABASE_URL: database.url, ...env },
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk;
  });
  const exited = once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr }));
  const listening = new Promise<string>((resolve, reject) => {
    child.stdout.on('data', () => {
      const url = /shop listens on (\S+)/.exec(stdout)?.[1];
      if (url !== undefined) resolve(url);
    });
    void exited.then((end) => reject(new Error(end.stderr)));
  });
  // A run that is meant to fail has nobody who waits for it to listen.
  listening.catch(() => {});
  return { child, exited, listening };
}

test('a port in use is told in one line', async () => {
  const holder = createServer().listen(0, '127.0.0.1');
  await once(holder, 'listening');
  const { port } = holder.address() as AddressInfo;
  const { code, stderr } = await start({ PORT: String(port) }).exited;
  holder.close();
  expect(code).toBe(1);
  expect(stderr).toBe(
    `shop: Port ${port} is in use. Set PORT to another one, or end the process that holds it.\n`,
  );
});

test.each([
  [{ PORT: 'http' }, 'shop: Expected PORT to be an integer from 0 to 65535, got `http`.'],
  [
    { DATABASE_URL: 'mysql://root:secret@db/shop' },
    'shop: Expected DATABASE_URL to be a URL that starts with postgres:// or postgresql://.',
  ],
  [
    { REDIS_URL: 'localhost' },
    'shop: Expected REDIS_URL to be a URL that starts with redis:// or rediss://.',
  ],
  [
    { LOG_LEVEL: 'loud' },
    'shop: Expected LOG_LEVEL to be one of trace, debug, info, warn, error, fatal, silent, got `loud`.',
  ],
])('a setting that makes no sense is told in one line: %o', async (env, line) => {
  const { code, stderr } = await start(env).exited;
  expect([code, stderr]).toEqual([1, `${line}\n`]);
});

test('a database that does not answer is told in one line, without the password', async () => {
  const port = await freePort();
  const { code, stderr } = await start({ DATABASE_URL: `postgres://shop:secret@127.0.0.1:${port}/shop` })
    .exited;
  expect(code).toBe(1);
  expect(stderr).toMatch(
    new RegExp(`^shop: The database at 127\\.0\\.0\\.1:${port} does not answer: .*\\n$`),
  );
  expect(stderr).not.toContain('secret');
});

test.each(['SIGTERM', 'SIGINT'] as const)(
  'on %s the shop answers what runs, then ends with 0',
  async (signal) => {
    const { child, exited, listening } = start({});
    const url = await listening;
    const underWay = fetch(`${url}/flaws/unindexed`);
    // The query has begun once the server's own metrics count it as active.
    await expect
      .poll(async () => await (await fetch(`${url}/metrics`)).text())
      .toMatch(/db_client_connection_count\{[^}]*"used"\} [1-9]/);
    child.kill(signal);
    expect((await underWay).status).toBe(200);
    const { code, stdout, stderr } = await exited;
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain(`shop ends on ${signal}`);
  },
);

test('without DATABASE_URL the shop brings its own PostgreSQL, keeps its data and takes it along when it ends', async () => {
  const state = await mkdtemp(join(tmpdir(), 'weir-shop-'));
  await chmod(state, 0o711);
  try {
    for (const expected of [{ stock: expect.any(Number) }, { stock: 12_345 }]) {
      const { child, exited, listening } = start({ DATABASE_URL: '', WEIR_STATE: state });
      const url = await listening;
      expect(await (await fetch(`${url}/products/1`)).json()).toMatchObject(expected);
      await fetch(`${url}/products/1/stock`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: '{"stock":12345}',
      });
      child.kill('SIGTERM');
      expect((await exited).code).toBe(0);
      const { stdout } = await run('ps', ['-eo', 'args']);
      expect(stdout).not.toContain(state);
    }
  } finally {
    await rm(state, { recursive: true, force: true });
  }
});
