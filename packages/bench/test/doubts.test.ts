import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { planPinning } from '../src/compare/duet-plan.ts';
import { type Arm, type BenchmarkResult, compareBuilds } from '../src/index.ts';
import { runCli } from './run-cli.ts';
import { plainAnswer, type ScriptedServer, startScriptedServer } from './scripted-server.ts';

// Two processors for the starved cases: the server keeps one of them.
const pinning = planPinning('duet');
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'weir-distrust-'));
});
afterAll(() => rm(directory, { recursive: true }));

let server: ScriptedServer | undefined;
const hogs: ChildProcess[] = [];
afterEach(async () => {
  for (const hog of hogs.splice(0)) hog.kill('SIGKILL');
  await server?.close();
  server = undefined;
});

/** Sent at once by a server that has next to nothing to do, and read chunk by chunk by whoever asked for it. */
const dearToRead = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${'1\r\nx\r\n'.repeat(8_000)}0\r\n\r\n`;

async function run(load: object, prefix: readonly string[] = []) {
  const file = join(directory, 'scenario.json');
  const scenario = { name: 'distrust', target: server?.target, requests: [{ path: '/' }], warmupMs: 300 };
  await writeFile(file, JSON.stringify({ ...scenario, durationMs: 900, ...load }));
  const json = join(directory, 'result.json');
  const { code, stdout } = await runCli(['run', file, '--json', json, '--quiet'], { prefix });
  const { doubts } = JSON.parse(await readFile(json, 'utf8')) as BenchmarkResult;
  return { code, stdout, codes: doubts.map((doubt) => doubt.code) };
}

/** Keeps a processor busy with two processes beside the generator. */
function starve(cpu: number): readonly string[] {
  const taskset = ['taskset', '-c', String(cpu)];
  for (let hog = 0; hog < 2; hog += 1)
    hogs.push(
      spawn('taskset', ['-c', String(cpu), process.execPath, '-e', 'for (;;);'], { stdio: 'ignore' }),
    );
  return taskset;
}

/** Milliseconds that all processors together have spent since the machine started. */
function cpuTimes(): { readonly idle: number; readonly total: number } {
  const times = cpus().flatMap((cpu) => Object.entries(cpu.times));
  const sum = (of: typeof times): number => of.reduce((total, [, ms]) => total + ms, 0);
  return { idle: sum(times.filter(([kind]) => kind === 'idle')), total: sum(times) };
}

test('a target faster than the generator makes the run invalid', async () => {
  server = await startScriptedServer((socket) => socket.write(dearToRead));
  // Of runs of 0.9 s one in ten had work for less than 95 % of the time, of eight of 2 s none.
  const { code, stdout, codes } = await run({ connections: 20, durationMs: 2_000 });
  expect(codes[0]).toMatch(/^generator-(saturated|starved)$/);
  expect(stdout).toMatch(/unreliable: /);
  expect(code).toBe(3);
});

test('the same target under an open loop shows in late requests', async () => {
  server = await startScriptedServer((socket) => socket.write(dearToRead));
  const { code, codes } = await run({ rate: 20_000, timeoutMs: 2_000, durationMs: 500 });
  // Starved where something else runs beside this test.
  expect(codes[0]).toMatch(/^generator-(late|starved)$/);
  expect(code).toBe(3);
});

test.runIf(pinning !== undefined).each([
  ['a closed loop', { connections: 20 }],
  ['an open loop', { rate: 1_000 }],
])('%s whose generator is starved is invalid', async (_name, load) => {
  // Dear answers: the generator has work at every moment, however little the server gets to run.
  server = await startScriptedServer((socket) => socket.write(dearToRead));
  const { code, stdout, codes } = await run(load, starve(pinning?.generator ?? 0));
  expect(codes).toContain('generator-starved');
  expect(stdout).toMatch(/unreliable: /);
  expect(code).toBe(3);
});

test.each([
  ['a closed loop', { connections: 2 }],
  ['an open loop', { rate: 100 }],
])('%s with time to spare is believed, unless the machine is busy otherwise', async (_name, load) => {
  server = await startScriptedServer((socket) => setTimeout(() => socket.write(plainAnswer), 20));
  const before = cpuTimes();
  const { code, codes } = await run(load);
  const after = cpuTimes();
  const idleShare = (after.idle - before.idle) / (after.total - before.total);
  // What the hypervisor takes is the machine's own and no fault of the run. With other work on the machine, a run may
  // rightly be doubted for want of processor time, and for nothing else.
  const expected = idleShare < 0.3 ? /^cpu-steal$|^generator-(late|starved)$/ : /^cpu-steal$/;
  expect(codes.filter((doubt) => !expected.test(doubt))).toEqual([]);
  expect(code).toBe(codes.length === 0 ? 0 : 3);
});

test('a comparison of builds that are faster than the generator is invalid', async () => {
  const file = join(directory, 'fast.mjs');
  await writeFile(
    file,
    `import { createServer } from 'node:net';
const answer = Buffer.from(${JSON.stringify(dearToRead)});
createServer((socket) => socket.on('error', () => {}).on('data', () => socket.write(answer)))
  .listen(Number(process.env.PORT), '127.0.0.1');`,
  );
  const start = { command: `exec "${process.execPath}" "${file}"`, ready: '/', readyTimeoutMs: 10_000 };
  const arm: Arm = { directory, start, label: 'fast' };
  const result = await compareBuilds({
    base: arm,
    head: arm,
    scenario: { name: 'fast', target: 'http://127.0.0.1:1', requests: [{ path: '/' }] },
    design: 'duet',
    load: { connections: 8, warmupMs: 200, durationMs: 500 },
    plan: { minPairs: 1, maxPairs: 1 },
  });
  expect(result.verdict).toBe('invalid');
  // Starved where something else runs beside this test.
  expect(result.doubts[0]?.code).toMatch(/^generator-(saturated|starved)$/);
});
