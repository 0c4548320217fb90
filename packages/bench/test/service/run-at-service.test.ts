import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openHistory, runAtService } from '../../src/index.ts';
import { runCli } from '../run-cli.ts';
import { runResult } from '../run-result.ts';
import { plainAnswer, type ScriptedServer, startScriptedServer } from '../scripted-server.ts';

const token = 'a-token-for-the-tests-of-weir-bench';
const env = { WEIR_TOKEN: token };
let directory: string;
let target: ScriptedServer;
let service: ChildProcess;
let url: string;

/** The service itself, started from source, with a token and three benchmarks. */
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'weir-service-'));
  target = await startScriptedServer((socket) => setTimeout(() => socket.write(plainAnswer), 5));
  const scenario = { target: target.target, requests: [{ path: '/' }], connections: 2, warmupMs: 0 };
  const benchmarks: Record<string, object> = {
    quick: { durationMs: 700 },
    strict: { durationMs: 300, objectives: ['p50 < 1ms'] },
    long: { durationMs: 60_000 },
    dead: { durationMs: 300, target: 'http://127.0.0.1:1' },
  };
  for (const [name, more] of Object.entries(benchmarks)) {
    await writeFile(join(directory, `${name}.json`), JSON.stringify({ name, ...scenario, ...more }));
  }
  const sha256 = createHash('sha256').update(token).digest('hex');
  await writeFile(
    join(directory, 'weir.config.json'),
    JSON.stringify({
      targets: [],
      auth: { tokens: [{ name: 'ci', role: 'bench', sha256 }] },
      benchmarks: Object.keys(benchmarks).map((name) => ({ name, file: `${name}.json` })),
    }),
  );
  const main = join(import.meta.dirname, '../../../../service/src/main.ts');
  service = spawn(
    process.execPath,
    ['--conditions=@weir/source', main, '--config', join(directory, 'weir.config.json')],
    { stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: process.env.PATH, PORT: '0' } },
  );
  url = await new Promise((resolve, reject) => {
    let text = '';
    service.stdout?.on('data', (chunk) => {
      text += chunk;
      const ready = /ready on (\S+)\n/.exec(text)?.[1];
      if (ready !== undefined) resolve(ready);
    });
    service.once('exit', (code) => reject(new Error(`the service ended with ${code}: ${text}`)));
  });
});
afterAll(async () => {
  const exited = new Promise((resolve) => service.once('exit', resolve));
  service.kill('SIGTERM');
  await exited;
  await target.close();
  await rm(directory, { recursive: true });
});

test('a benchmark runs at the service, with its progress here, and exits by its result', async () => {
  const { code, stdout, stderr } = await runCli(['run', 'quick', '--service', url, '--ignore-doubts'], {
    env,
  });
  expect(stderr).toMatch(/^run \S+ is running\nrunning \d\/1 s .*\n/);
  expect(stdout).toMatch(/^quick {2}http:\/\/127\.0\.0\.1:\d+\n2 connections, 0\.7 s measured\n/);
  expect(code).toBe(0);
  const missed = await runCli(['run', 'strict', '--service', url, '--ignore-doubts', '--quiet'], { env });
  expect(missed.code).toBe(1);
  expect(missed.stdout).toContain('MISSED p50 < 1ms');
});

test('Ctrl-C cancels the run at the service', async () => {
  const { code } = await runCli(['run', 'long', '--service', url], {
    env,
    onStart: (child) => child.stderr?.once('data', () => child.kill('SIGINT')),
  });
  expect(code).toBe(130);
  const headers = { authorization: `Bearer ${token}` };
  const runs = (await (await fetch(`${url}/benchmarks/long/runs`, { headers })).json()) as {
    status: string;
  }[];
  expect(runs.map(({ status }) => status)).toEqual(['cancelled']);
});

test.each<[string, string[], Record<string, string>, number, RegExp]>([
  ['an unknown benchmark', ['nothing'], env, 3, /answered 404 Unknown benchmark/],
  ['a run that fails', ['dead'], env, 3, /ended the run as failed: .*ECONNREFUSED/],
  ['no token', ['quick'], { WEIR_TOKEN: '' }, 3, /answered 401 Token required: .* Set WEIR_TOKEN\.\n$/],
  [
    'a service that is not there',
    ['quick', '--service', 'http://127.0.0.1:59999'],
    env,
    3,
    /cannot be reached \(ECONNREFUSED\)/,
  ],
  ['an address that is none', ['quick', '--service', 'here'], env, 3, /here is not an http or https address/],
  ['an objective of our own', ['quick', '--slo', 'p99 < 1s'], env, 64, /a service has its own settings/],
])('%s is one clear line and its exit code', async (_name, args, given, expected, text) => {
  const { code, stderr } = await runCli(['run', '--service', url, '--quiet', ...args], { env: given });
  expect(stderr).toMatch(text);
  expect(stderr).toMatch(/^weir-bench: [^\n]+\n$/);
  expect(code).toBe(expected);
});

test('results measured here become history at the service, once each, and are read back in their order', async () => {
  const history = openHistory(url, { token });
  const first = runResult('shop page', 1_000);
  const place = await history.append(first);
  expect(place).toMatch(new RegExp(`^${url}/benchmarks/shop-page/runs/`));
  expect(await history.append(first)).toBe(place);
  await history.append(runResult('shop page', 900, { startedAt: '2026-02-02T10:00:00.000Z' }));
  const { results } = await history.read('shop page');
  expect(results.map(({ requests }) => requests.perSecond)).toEqual([1_000, 900]);
  const { code, stdout } = await runCli(['history', url, 'shop page'], { env });
  expect(stdout).toMatch(/^shop page: 2 runs\n/);
  expect(code).toBe(0);
  await openHistory(url).assertWritable();
  await expect(openHistory('http://127.0.0.1:1').assertWritable()).rejects.toMatchObject({
    code: 'ERR_WEIR_BENCH_SERVICE',
  });
  await expect(openHistory(url).append(first)).rejects.toMatchObject({ code: 'ERR_WEIR_BENCH_SERVICE' });
});

test('a stream that breaks is asked for again until the run has ended', async () => {
  let asked = 0;
  const run = { id: '1', benchmark: 'x', status: 'finished', result: runResult('x', 1), error: null };
  const flaky = await startScriptedServer((socket, _index, head) => {
    if (head.startsWith('POST')) {
      socket.write('HTTP/1.1 202 Accepted\r\nLocation: /benchmarks/x/runs/1\r\nContent-Length: 2\r\n\r\n{}');
      return;
    }
    asked += 1;
    const event =
      asked === 1
        ? 'event: run\ndata: {"status":"queued"}\n\n'
        : `event: end\ndata: ${JSON.stringify(run)}\n\n`;
    socket.end(`HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n${event}`);
  });
  const seen: string[] = [];
  const ended = await runAtService({
    service: { url: flaky.target },
    benchmark: 'x',
    onRun: ({ status }) => seen.push(status),
  });
  await flaky.close();
  expect(ended).toEqual(run);
  expect(seen).toEqual(['queued']);
  expect(asked).toBe(2);
});
