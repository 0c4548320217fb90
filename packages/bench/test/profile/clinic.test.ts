import { execFileSync } from 'node:child_process';
import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runCli } from '../run-cli.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'weir-clinic-'));
  await writeFile(
    join(directory, 'server.mjs'),
    "import { createServer } from 'node:http';\ncreateServer((_, response) => setTimeout(() => response.end('x'), 2)).listen(Number(process.env.PORT), '127.0.0.1');",
  );
  const scenario = { target: 'http://127.0.0.1:1', requests: [{ path: '/' }] };
  for (const [name, command] of [
    ['plain', `exec "${process.execPath}" server.mjs`],
    ['script', 'npm start'],
  ])
    await writeFile(
      join(directory, `${name}.json`),
      JSON.stringify({ name, ...scenario, start: { command } }),
    );
  // Stands for clinic: takes the same arguments, runs the server, and on SIGINT writes a report, or hangs as bubbleprof does.
  const clinic = join(directory, 'clinic');
  await writeFile(
    clinic,
    `#!${process.execPath}
const { spawn } = require('node:child_process');
const { writeFileSync } = require('node:fs');
const { join } = require('node:path');
const args = process.argv.slice(2);
const [file, ...rest] = args.slice(args.indexOf('--') + 1);
const server = spawn(file, rest, { stdio: 'inherit' });
const told = JSON.stringify({ tool: args[0], open: args[1], insight: process.env.NO_INSIGHT });
process.on('SIGINT', () => {
  server.on('exit', () => {
    if (args[0] === 'flame') setInterval(() => {}, 1_000);
    else if (args[0] === 'heapprofiler') process.exit(7);
    else writeFileSync(join(args[args.indexOf('--dest') + 1], 'report.html'), told);
  });
  server.kill('SIGINT');
});
`,
  );
  await chmod(clinic, 0o755);
});
afterAll(() => rm(directory, { recursive: true }));

const profile = (name: string, tool: string, env: Record<string, string>) =>
  runCli(
    [
      'profile',
      `${name}.json`,
      '--tool',
      tool,
      '--out',
      'out',
      '--warmup',
      '0',
      '--measure',
      '0.1',
      '--timeout',
      '1',
    ],
    { cwd: directory, env },
  );
const installed = () => ({ PATH: `${directory}:${process.env.PATH}` });

test('clinic runs the build under load, is asked for nothing, and its report is named', async () => {
  const { code, stdout } = await profile('plain', 'clinic-doctor', installed());
  const file = /^wrote (.*report\.html)\n$/.exec(stdout)?.[1] ?? '';
  expect(JSON.parse(execFileSync('cat', [file], { encoding: 'utf8' }))).toEqual({
    tool: 'doctor',
    open: '--open=false',
    insight: '1',
  });
  expect(code).toBe(0);
});

test.each<[string, string, string, () => Record<string, string>, number, RegExp]>([
  [
    'a tool that hangs',
    'plain',
    'clinic-flame',
    installed,
    3,
    /clinic flame did not end within 1000 ms and was ended/,
  ],
  ['a tool that dies', 'plain', 'clinic-heapprofiler', installed, 3, /exited with code 7 without a report/],
  [
    'a start command that is not Node',
    'script',
    'clinic-doctor',
    installed,
    3,
    /form `node <file>`, got `npm start`/,
  ],
  [
    'no clinic',
    'plain',
    'clinic-doctor',
    () => ({ PATH: '/usr/bin:/bin' }),
    3,
    /clinic is not installed; run/,
  ],
  ['bubbleprof', 'plain', 'clinic-bubbleprof', installed, 64, /never ends on Node 20 and later/],
  ['another tool', 'plain', 'perf', installed, 64, /expected --tool v8/],
])('%s is one clear line, and leaves nothing running', async (_name, scenario, tool, env, expected, text) => {
  const { code, stderr } = await profile(scenario, tool, env());
  expect(stderr).toMatch(text);
  expect(stderr).toMatch(/^weir-bench: [^\n]+\n$/);
  expect(code).toBe(expected);
  const left = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).split('\n');
  expect(left.filter((line) => line.includes(`${directory}/clinic`))).toEqual([]);
  expect((await readdir(directory)).includes('server.mjs')).toBe(true);
});
