import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  freePort,
  isPortFree,
  launchChromium,
  promtool,
  startPostgres,
  startPrometheus,
  startRedis,
  startRedisCluster,
  startRedisSentinel,
} from '@weir/test-kit';
import { Cluster, Redis } from 'ioredis';
import { Client } from 'pg';
import { expect, test, vi } from 'vitest';

test('startRedis gives a server of its own that answers, freezes, thaws and ends', async () => {
  const [one, two] = await Promise.all([startRedis(), startRedis({ args: ['--maxmemory', '8mb'] })]);
  const client = new Redis(one.url);
  const other = new Redis(two.url);
  try {
    await client.set('k', 'v');
    expect(await other.get('k')).toBeNull();
    expect(await other.config('GET', 'maxmemory')).toEqual(['maxmemory', String(8 * 1024 * 1024)]);
    one.pause();
    let answered = false;
    const pending = client.get('k').then((value) => {
      answered = true;
      return value;
    });
    expect(await other.ping()).toBe('PONG');
    expect(answered).toBe(false);
    one.resume();
    expect(await pending).toBe('v');
  } finally {
    client.disconnect();
    other.disconnect();
    two.pause();
    await Promise.all([one.stop(), two.stop()]);
  }
  expect(await isPortFree(one.port)).toBe(true);
  expect(() => process.kill(two.pid, 0)).toThrow();
});

test('a killed Redis can start again where it was', async () => {
  const first = await startRedis();
  await first.kill();
  const second = await startRedis({ port: first.port });
  expect(second.url).toBe(first.url);
  expect(second.pid).not.toBe(first.pid);
  await second.stop();
});

test('startRedisCluster gives a cluster that takes keys of every node', async () => {
  const cluster = await startRedisCluster();
  const client = new Cluster(cluster.nodes);
  try {
    for (let index = 0; index < 50; index += 1) await client.set(`key-${index}`, index);
    expect(await client.get('key-49')).toBe('49');
    expect(client.nodes('master')).toHaveLength(3);
  } finally {
    client.disconnect();
    await cluster.stop();
  }
});

test('startRedisSentinel gives a master that fails over to its replica', async () => {
  const sentinel = await startRedisSentinel();
  const { name, sentinels } = sentinel;
  const client = new Redis({ sentinels, name, retryStrategy: () => 50 });
  client.on('error', () => {});
  try {
    await client.set('k', 'v');
    await client.wait(1, 5_000);
    const before = await sentinel.master();
    await sentinel.failover();
    expect(await sentinel.master()).not.toEqual(before);
    expect(await client.get('k')).toBe('v');
    expect(await client.set('k', 'w')).toBe('OK');
  } finally {
    client.disconnect();
    await sentinel.stop();
  }
});

test('startPostgres gives an empty database of its own with pg_stat_statements', async () => {
  const [one, two] = await Promise.all([startPostgres(), startPostgres()]);
  const [first, second] = [new Client(one.url), new Client(two.url)];
  try {
    await Promise.all([first.connect(), second.connect()]);
    await first.query('create table t (id int)');
    expect((await second.query(`select to_regclass('t') as t`)).rows).toEqual([{ t: null }]);
    const statements = await first.query('select query from pg_stat_statements where query like $1', [
      'create table t%',
    ]);
    expect(statements.rows).toHaveLength(1);
  } finally {
    await Promise.all([first.end(), second.end()]);
    await Promise.all([one.stop(), two.stop()]);
  }
});

test('startPrometheus scrapes its targets and promtool asks it', async () => {
  const target = createServer((_request, response) => response.end('probe 42\n'));
  await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
  const address = `127.0.0.1:${(target.address() as AddressInfo).port}`;
  const prometheus = await startPrometheus({ targets: [{ job: 'probe', address }], scrapeInterval: '100ms' });
  try {
    await vi.waitFor(
      async () => {
        const { code, stdout } = await promtool(['query', 'instant', prometheus.url, 'probe']);
        expect(code).toBe(0);
        expect(stdout).toContain(`probe{instance="${address}", job="probe"} => 42`);
      },
      { timeout: 15_000, interval: 100 },
    );
  } finally {
    await prometheus.stop();
    target.close();
  }
});

test('promtool reports a bad rule file by its exit code', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'weir-rules-'));
  await writeFile(join(directory, 'rules.yml'), 'groups: [{ name: x, rules: [{ record: a, expr: "(" }] }]');
  const { code, stdout, stderr } = await promtool(['check', 'rules', 'rules.yml'], { cwd: directory });
  expect(code).not.toBe(0);
  expect(stdout + stderr).toContain('parse error');
  await rm(directory, { recursive: true });
});

test('launchChromium renders a page', async () => {
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    await page.setContent('<h1 id="x">weir</h1>');
    expect(await page.textContent('#x')).toBe('weir');
  } finally {
    await browser.close();
  }
});

test('freePort gives a port that can be bound', async () => {
  expect(await isPortFree(await freePort())).toBe(true);
});
