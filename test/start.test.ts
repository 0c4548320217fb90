import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { run } from '@weir/test-kit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  createWorkplace,
  type StartedSystem,
  start,
  stillRunning,
  type Workplace,
} from './started-system.ts';

// One system is started and used by the tests in the order they stand here: each takes over what the one before left.

interface Run {
  readonly id: string;
  readonly status: string;
  readonly result: { readonly requests: { readonly total: number; readonly ok: number } } | null;
}

const root = resolve(import.meta.dirname, '..');
let workplace: Workplace;
let system: StartedSystem;

/** The page is built, not checked in; the command builds it before it starts. Other tests may build it at the same time. */
async function ensurePage(): Promise<void> {
  const dist = resolve(root, 'service/web/dist');
  if (existsSync(join(dist, 'index.html'))) return;
  const own = `${dist}.${process.pid}`;
  const vite = resolve(root, 'service/node_modules/.bin/vite');
  const { code, stderr } = await run(vite, ['build', 'web', '--outDir', own], {
    cwd: resolve(root, 'service'),
  });
  expect(code, stderr).toBe(0);
  if (!existsSync(dist)) await rename(own, dist);
  await rm(own, { recursive: true, force: true });
}

beforeAll(async () => {
  await ensurePage();
  workplace = await createWorkplace();
  system = start(workplace);
});

afterAll(async () => {
  if (system !== undefined && (await stillRunning([system.pid])).length > 0)
    process.kill(system.pid, 'SIGTERM');
  await system?.ended;
  await workplace?.remove();
});

async function json<T>(path: string, init?: RequestInit): Promise<T> {
  const response = await fetch(workplace.serviceUrl + path, init);
  expect(response.ok, `${path}: ${response.status}`).toBe(true);
  return (await response.json()) as T;
}

async function queryValues(query: string): Promise<number[]> {
  const path = `/api/v1/query?query=${encodeURIComponent(query)}`;
  const { data } = await json<{ data: { result: { value: [number, string] }[] } }>(path);
  return data.result.map((sample) => Number(sample.value[1]));
}

/** The demo's crawler gets there too, but only after ten seconds. */
async function searchTooOften(): Promise<void> {
  await Promise.all(Array.from({ length: 30 }, () => fetch(`${workplace.shopUrl}/search?q=oak`)));
}

const runsOf = () => json<Run[]>('/benchmarks/short/runs');

test('the command prints one line, with both addresses, when everything answers', async () => {
  const printed = await system.ready;
  expect(printed).toBe(
    `Weir is ready: ${workplace.serviceUrl} shows the shop at ${workplace.shopUrl}. Ctrl-C ends both.\n`,
  );
  expect((await fetch(`${workplace.serviceUrl}/readyz`)).status).toBe(200);
  expect((await fetch(`${workplace.shopUrl}/healthz`)).status).toBe(200);
});

test('the page and the script that it names are served', async () => {
  // Polled: another test may be building the page anew.
  await expect.poll(fetchPage, { timeout: 15_000 }).toEqual({ type: 'text/html', script: 200 });
});

async function fetchPage(): Promise<{ type: string | undefined; script: number }> {
  const response = await fetch(`${workplace.serviceUrl}/`);
  const [, script = '/no-script'] = /<script[^>]+src="([^"]+)"/.exec(await response.text()) ?? [];
  const type = response.headers.get('content-type')?.split(';')[0];
  return { type, script: (await fetch(new URL(script, `${workplace.serviceUrl}/`))).status };
}

test.each([
  ['requests', 'sum(rate(http_server_request_duration_seconds_count{job="shop"}[10s]))'],
  ['cache reads', 'sum(rate(weir_cache_reads_total[10s]))'],
  ['limiter decisions', 'sum(rate(weir_ratelimit_decisions_total[10s]))'],
  ['denials', 'sum(weir_ratelimit_decisions_total{decision="denied"})'],
  ['queries', 'sum(rate(db_client_operation_duration_seconds_count[10s]))'],
  ['event loop', 'sum(rate(nodejs_eventloop_time_seconds_total{nodejs_eventloop_state="active"}[10s]))'],
])('the traffic shows in the metrics: %s', async (_, query) => {
  if (query.includes('denied')) await searchTooOften();
  await expect
    .poll(() => queryValues(query), { timeout: 25_000, interval: 250 })
    .toEqual([expect.toSatisfy((value) => value > 0)]);
});

test('the first start runs one benchmark, and one more runs on request', async () => {
  await expect
    .poll(async () => (await runsOf()).map((entry) => entry.status), { timeout: 20_000 })
    .toEqual(['finished']);
  const { id } = await json<Run>('/benchmarks/short/runs', { method: 'POST' });
  await expect.poll(async () => (await runsOf())[0]?.status, { timeout: 20_000 }).toBe('finished');
  const finished = await json<Run>(`/benchmarks/short/runs/${id}`);
  expect(finished.result?.requests).toMatchObject({ total: 50, ok: 50 });
});

test('a second system on the same state is refused in one line', async () => {
  const env = { ...workplace.env, PORT: '0', SHOP_PORT: '0' };
  const { code, stdout, stderr } = await start({ ...workplace, env }).ended;
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(/^weir: Process \d+ runs on .* already\. End it first, or set WEIR_STATE\.\n$/);
});

test.each(['PORT', 'SHOP_PORT'])('a port in use is told in one line: %s', async (variable) => {
  const holder = createServer().listen(0, '127.0.0.1');
  await once(holder, 'listening');
  const { port } = holder.address() as AddressInfo;
  const other = await createWorkplace();
  const { code, stderr } = await start({ ...other, env: { ...other.env, [variable]: String(port) } }).ended;
  holder.close();
  await other.remove();
  expect(code).toBe(1);
  expect(stderr).toMatch(new RegExp(`^weir: Port ${port} is in use\\. .*${variable}.*\\n$`));
});

test('a missing configuration is told in one line', async () => {
  const { code, stderr } = await start({ ...workplace, configPath: '/no/such/weir.config.json' }).ended;
  expect([code, stderr]).toEqual([
    1,
    'weir: No configuration at /no/such/weir.config.json. Create it, or name another with --config.\n',
  ]);
});

test('SIGKILL of the service ends the rest in one line and loses neither samples nor benchmarks', async () => {
  const before = { at: Date.now() / 1000, runs: await runsOf() };
  const window = `/api/v1/query_range?query=up&start=${before.at - 10}&end=${before.at - 2}&step=1`;
  const samples = await json<{ data: { result: unknown[] } }>(window);
  expect(samples.data.result.length).toBeGreaterThan(0);
  const parts = await system.descendants();
  expect(parts.length).toBeGreaterThanOrEqual(4);
  const { stdout } = await run('ps', ['-o', 'pid=,args=', '-p', parts.join(',')]);
  const service = stdout.split('\n').find((line) => line.includes('service/src/main.ts'));
  process.kill(Number.parseInt(service ?? '', 10), 'SIGKILL');
  const { code, stderr } = await system.ended;
  expect(code).toBe(1);
  expect(stderr).toMatch(/^weir: the service has ended by itself; see .*service\.log\n$/);
  expect(await stillRunning(parts)).toEqual([]);

  system = start(workplace);
  await system.ready;
  expect(await json(window)).toEqual(samples);
  expect(await runsOf()).toEqual(before.runs);
});

/** Runs its arguments, and like npx ends on a signal without passing it on. */
async function writeRunner(): Promise<string> {
  const path = join(workplace.directory, 'npx.cjs');
  const script =
    "require('node:child_process').spawn(process.execPath, process.argv.slice(2), { stdio: 'inherit' });";
  await writeFile(path, script);
  return path;
}

test.each(['SIGINT', 'SIGTERM'] as const)('%s ends every process', async (signal) => {
  await system.ready;
  const parts = await system.descendants();
  process.kill(system.pid, signal);
  const { code, stdout, stderr } = await system.ended;
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toContain(`weir: ends on ${signal}\n`);
  expect(await stillRunning(parts)).toEqual([]);
  // The next test's system is started through npx.
  system = start(workplace, signal === 'SIGTERM' ? { through: await writeRunner() } : {});
});

test('the end of the npx that started it ends every process, though npx passes no signal on', async () => {
  await system.ready;
  const parts = await system.descendants();
  process.kill(system.pid, 'SIGTERM');
  await expect.poll(() => stillRunning([system.pid, ...parts]), { timeout: 15_000 }).toEqual([]);
  system = start(workplace);
});

test('SIGKILL of the command itself leaves no process either, and the next start succeeds', async () => {
  await system.ready;
  const parts = await system.descendants();
  process.kill(system.pid, 'SIGKILL');
  await system.ended;
  await expect.poll(() => stillRunning(parts), { timeout: 15_000 }).toEqual([]);
  system = start(workplace);
  await system.ready;
});
