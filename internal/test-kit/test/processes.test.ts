import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, startEmbeddedPostgres, startServerProcess, tryLockFile, withLockFile } from '@weir/test-kit';
import { Client } from 'pg';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { isReachable, reachableDirectory } from '../src/reachable-directory.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'weir-test-kit-'));
  await chmod(directory, 0o711);
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

const isAlive = async (pid: number) => {
  const { code, stdout } = await run('ps', ['-p', String(pid), '-o', 'stat=']);
  return code === 0 && !stdout.startsWith('Z');
};

test('a server that fails is reported with its last line and no process stays', async () => {
  const failing = startServerProcess({
    name: 'thing',
    command: 'sh',
    args: ['-c', 'echo first; echo no such bottle >&2; exit 3'],
    isReady: async () => false,
  });
  await expect(failing).rejects.toThrow('thing did not start: no such bottle');
  const absent = startServerProcess({
    name: 'thing',
    command: '/no/such',
    args: [],
    isReady: async () => false,
  });
  await expect(absent).rejects.toThrow(/thing did not start: .*ENOENT/);
});

test('a server that never gets ready is killed', async () => {
  let pid = 0;
  const hanging = startServerProcess({
    name: 'thing',
    command: 'sh',
    args: ['-c', 'echo $$; exec sleep 600'],
    isReady: async () => false,
    readyTimeoutMs: 300,
    onOutput: (chunk) => {
      pid = Number(chunk);
    },
  });
  await expect(hanging).rejects.toThrow('not ready in time');
  expect(pid).toBeGreaterThan(0);
  expect(await isAlive(pid)).toBe(false);
});

test('stop insists on a server that ignores the polite signal', async () => {
  const server = await startServerProcess({
    name: 'deaf',
    command: 'sh',
    args: ['-c', `trap '' TERM; echo ready; while true; do sleep 1; done`],
    isReady: async () => true,
    stopTimeoutMs: 100,
  });
  await server.stop();
  expect(await isAlive(server.pid)).toBe(false);
  await server.stop();
});

test.each(['SIGKILL', 'exception', 'exit'])('servers end when their parent ends by %s', async (how) => {
  const kit = new URL('../src/index.ts', import.meta.url).href;
  const script = `
    const { startRedis, startEmbeddedPostgres } = await import('${kit}');
    const redis = await startRedis();
    const postgres = await startEmbeddedPostgres({ directory: '${directory}/pg', durable: false });
    console.log(JSON.stringify([redis.pid, postgres.pid]));
    if ('${how}' === 'exception') throw new Error('as asked');
    if ('${how}' === 'exit') process.exit(0);
    setInterval(() => {}, 1000);`;
  const parent = spawn(process.execPath, ['--conditions=@weir/source', '--input-type=module', '-e', script]);
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const pids = JSON.parse(line.toString()) as number[];
  const exited = parent.exitCode === null ? once(parent, 'exit') : Promise.resolve();
  if (how === 'SIGKILL') parent.kill('SIGKILL');
  await exited;
  await vi.waitFor(
    async () => {
      for (const pid of pids) expect(await isAlive(pid), `process ${pid}`).toBe(false);
    },
    { timeout: 10_000, interval: 20 },
  );
});

test('an embedded PostgreSQL keeps its data, and one that a killed run left behind gives way', async () => {
  const first = await startEmbeddedPostgres({ directory: join(directory, 'pg') });
  await query(first.url, 'create table t as select 42 as answer');
  // As after SIGKILL of a parent whose watcher was killed too: the server runs on, and its pid file names it.
  const second = await startEmbeddedPostgres({ directory: join(directory, 'pg') });
  expect(await isAlive(first.pid)).toBe(false);
  expect(await query(second.url, 'select answer from t')).toEqual([{ answer: 42 }]);
  process.kill(second.pid, 'SIGKILL');
  await second.exited;
  const third = await startEmbeddedPostgres({ directory: join(directory, 'pg') });
  expect(await query(third.url, 'select answer from t')).toEqual([{ answer: 42 }]);
  await third.stop();
});

test('PostgreSQL starts in a directory closed to others; for root another one stands in, the same every time', async () => {
  const closed = join(directory, 'closed');
  await mkdir(closed, { mode: 0o700 });
  expect(isReachable(closed)).toBe(false);
  const wanted = join(closed, 'checkout', 'pg');
  await mkdir(join(closed, 'checkout'));
  const inside = reachableDirectory(wanted, []);
  expect(inside).not.toContain(closed);
  expect(reachableDirectory(wanted, [])).toBe(inside);
  const server = await startEmbeddedPostgres({ directory: wanted, durable: false });
  expect(await query(server.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  await server.stop();
  await mkdir(inside, { recursive: true });
  await rm(inside, { recursive: true });
});

test('a state directory that alone is closed is opened for passage, not replaced', async () => {
  const state = join(directory, 'state');
  await mkdir(state, { mode: 0o700 });
  expect(reachableDirectory(join(state, 'pg'), [])).toBe(join(state, 'pg'));
  expect((await stat(state)).mode & 0o777).toBe(0o701);
});

test('of many that ask for a lock one at a time gets it, and a dead holder is no obstacle', async () => {
  const path = join(directory, 'lock');
  const { pid } = spawn('true');
  await vi.waitFor(async () => expect(await isAlive(pid ?? 0)).toBe(false));
  await writeFile(path, String(pid));
  let inside = 0;
  let most = 0;
  await Promise.all(
    Array.from({ length: 5 }, () =>
      withLockFile(path, async () => {
        inside += 1;
        most = Math.max(most, inside);
        expect(await readFile(path, 'utf8')).toBe(String(process.pid));
        inside -= 1;
      }),
    ),
  );
  expect(most).toBe(1);
  const mine = tryLockFile(path);
  expect(mine.locked).toBe(true);
  expect(tryLockFile(path)).toEqual({ locked: false, holder: process.pid });
  if (mine.locked) mine.release();
});

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}
