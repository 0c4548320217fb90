import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { liveProgress } from '../src/report/live.ts';
import { explainResult } from '../src/result-schema.ts';
import { runCli } from './run-cli.ts';
import { plainAnswer, type ScriptedServer, startScriptedServer } from './scripted-server.ts';

let directory: string;
let server: ScriptedServer;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'weir-bench-'));
  // Slow enough that the generator is never the limit.
  server = await startScriptedServer((socket) => setTimeout(() => socket.write(plainAnswer), 5));
});
afterAll(async () => {
  await server.close();
  await rm(directory, { recursive: true });
});

async function scenarioFile(name: string, overrides: object): Promise<string> {
  const file = join(directory, `${name}.json`);
  const scenario = { name, target: server.target, requests: [{ path: '/' }], durationMs: 300, warmupMs: 0 };
  await writeFile(file, JSON.stringify({ ...scenario, ...overrides }));
  return file;
}

test('run prints a table, writes JSON and reports progress in plain lines without a terminal', async () => {
  const json = join(directory, 'result.json');
  const { code, stdout, stderr } = await runCli([
    'run',
    await scenarioFile('plain', {}),
    '--json',
    json,
    '--ignore-doubts',
  ]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^plain {2}http:\/\/127\.0\.0\.1:\d+\n10 connections, 0\.3 s measured\n/);
  expect(stdout).toMatch(/p50 +p90 +p95 +p99/);
  expect(stderr).toMatch(/^running 0\/0 s {2}[\d,]+ req\/s {2}p50 .* {2}p99 .*\n$/);
  const result = JSON.parse(await readFile(json, 'utf8'));
  expect(explainResult(result)).toBeUndefined();
  expect(Object.keys(result)).toEqual([
    'schemaVersion',
    'name',
    'target',
    'startedAt',
    'durationMs',
    'partial',
    'load',
    'requests',
    'latencyMs',
    'statusCodes',
    'failures',
    'objectives',
    'doubts',
    'conditions',
    'bytesPerSecond',
    'timeline',
    'environment',
  ]);
});

test('a missed objective is a regression, and says by how much', async () => {
  const file = await scenarioFile('slo', { objectives: ['p50 < 1ms', 'errors < 1%'] });
  const { code, stdout } = await runCli(['run', file, '--quiet', '--ignore-doubts', '--slo', 'p99 < 60s']);
  expect(code).toBe(1);
  expect(stdout).toMatch(/MISSED p50 < 1ms: [\d.]+ ms\nmet {4}errors < 1%: 0\.00 %\nmet {4}p99 < 60s/);
});

test('--json - prints the result alone', async () => {
  const { stdout } = await runCli(['run', await scenarioFile('stdout', {}), '--json', '-', '--quiet']);
  expect(JSON.parse(stdout).name).toBe('stdout');
});

test('Ctrl-C gives a partial report and leaves no process', async () => {
  const file = await scenarioFile('long', { durationMs: 60_000 });
  const { code, stdout } = await runCli(['run', file], {
    onStart: (child) => child.stderr?.once('data', () => child.kill('SIGINT')),
  });
  expect(code).toBe(130);
  expect(stdout).toContain('PARTIAL');
});

test.each<[string, () => Promise<string[]>, number, RegExp]>([
  ['no command', async () => [], 64, /expected a command/],
  ['an unknown command', async () => ['rum'], 64, /unknown command `rum`/],
  ['no file', async () => ['run'], 64, /expected a scenario file/],
  ['an unknown option', async () => ['run', 'x.json', '--jsn', 'y'], 64, /--jsn/],
  ['a missing file', async () => ['run', 'missing.json'], 64, /missing\.json: cannot be read/],
  ['an unknown key', async () => ['run', await scenarioFile('key', { rat: 1 })], 64, /rat: unknown key/],
  [
    'a refused target',
    async () => ['run', await scenarioFile('out', { target: 'http://192.0.2.1' })],
    4,
    /Refused/,
  ],
  [
    'a dead target',
    async () => ['run', await scenarioFile('dead', { target: 'http://127.0.0.1:1' })],
    3,
    /ECONNREFUSED/,
  ],
])('%s is one clear line and its exit code', async (_name, args, expected, text) => {
  const { code, stdout, stderr } = await runCli(await args());
  expect(code).toBe(expected);
  expect(stderr).toMatch(text);
  expect(stderr).toMatch(/^weir-bench: [^\n]+\n$/);
  expect(stdout).toBe('');
});

test('a run without one answer is invalid', async () => {
  const mute = await startScriptedServer((socket) => socket.end());
  const file = await scenarioFile('mute', { target: mute.target });
  const { code, stderr } = await runCli(['run', file, '--quiet']);
  await mute.close();
  expect(code).toBe(3);
  expect(stderr).toContain('not one request was answered');
});

test('on a terminal progress repaints one line no wider than the window', () => {
  const written: string[] = [];
  const live = liveProgress({ isTTY: true, columns: 40, write: (text) => written.push(text) });
  const progress = { phase: 'running', elapsedMs: 500, totalMs: 1_000, requests: 9, errors: 1 } as const;
  live.update({ ...progress, requestsPerSecond: 18, p50Ms: 0.8, p99Ms: 2_000 });
  live.end();
  expect(written[0]?.startsWith('\r\u001b[2K━━━━━━━━━━╌')).toBe(true);
  expect(written[0]?.slice(5)).toHaveLength(39);
  expect(written.at(-1)).toBe('\r\u001b[2K');
});
