import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@weir/test-kit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Command, exitCodeOf, exitCodeOfVerdict } from '../src/cli/command.ts';
import { compareCommand } from '../src/cli/compare-command.ts';
import { profileCommand } from '../src/cli/profile-command.ts';
import { runCommand } from '../src/cli/run-command.ts';
import { liveProgress } from '../src/report/live.ts';
import { explainComparison, explainResult } from '../src/result/result-schema.ts';
import { runCli } from './run-cli.ts';
import { plainAnswer, type ScriptedServer, startScriptedServer } from './scripted-server.ts';

let directory: string;
let server: ScriptedServer;
let redirecting: ScriptedServer;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'weir-bench-'));
  // Slow enough that the generator is never the limit.
  server = await startScriptedServer((socket) => setTimeout(() => socket.write(plainAnswer), 5));
  redirecting = await startScriptedServer((socket) =>
    socket.write('HTTP/1.1 301 Moved\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n'),
  );
  await writeFile(join(directory, 'broken.csv'), 'name,age\n"ann,7\n');
  await writeFile(join(directory, 'broken.json'), '[{"name": }]');
});
afterAll(async () => {
  await server.close();
  await redirecting.close();
  await rm(directory, { recursive: true });
});

async function scenarioFile(name: string, overrides: object): Promise<string> {
  const file = join(directory, `${name}.json`);
  const scenario = { name, target: server.target, requests: [{ path: '/' }], durationMs: 300, warmupMs: 0 };
  await writeFile(file, JSON.stringify({ ...scenario, ...overrides }));
  return file;
}

async function feedScenario(feed: string): Promise<string> {
  const flows = [{ name: 'one', steps: [{ path: '/{{user.name}}' }] }];
  return scenarioFile('feed', { requests: [], flows, feeds: { user: feed } });
}

/** Its command leaves a process behind unless the whole group is ended. */
async function startScenario(command: string, readyTimeoutMs = 5_000): Promise<string> {
  const port = await freePort();
  const target = `http://127.0.0.1:${port}`;
  return scenarioFile('start', { target, start: { command: command, readyTimeoutMs } });
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

test.each<[string, (waits: string) => Promise<string[]>]>([
  ['a run whose target is starting', async (waits) => ['run', await startScenario(waits, 60_000)]],
  [
    'a profile whose build is starting',
    async (waits) => ['profile', await startScenario(waits, 60_000), '--base', '.'],
  ],
  [
    'a comparison whose commit is being set up',
    async (waits) => {
      const git = (...args: string[]) => execFileSync('git', args, { cwd: directory });
      git('init', '-q');
      git(
        '-c',
        'user.name=Weir',
        '-c',
        'user.email=weir@localhost',
        'commit',
        '-q',
        '--allow-empty',
        '-m',
        'x',
      );
      const start = { command: 'node server.js', setup: waits };
      return ['compare', await scenarioFile('setup', { start }), '--base', 'HEAD'];
    },
  ],
])('SIGTERM ends %s with one line and no process left', async (_name, args) => {
  const marker = join(directory, 'waiting');
  await rm(marker, { force: true });
  const given = await args(`sleep 60.25 & touch "${marker}"; wait`);
  const { code, stdout, stderr } = await runCli(given, {
    cwd: directory,
    onStart: (child) => {
      const looking = setInterval(() => {
        if (!existsSync(marker)) return;
        clearInterval(looking);
        child.kill('SIGTERM');
      }, 20);
    },
  });
  expect(stderr).toBe('weir-bench: interrupted before there was anything to report\n');
  expect(stdout).toBe('');
  expect(code).toBe(130);
  const left = execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' }).split('\n');
  expect(left.filter((line) => line.includes('sleep 60.25'))).toEqual([]);
});

test.each(['SIGHUP', 'SIGTERM', 'SIGINT'] as const)(
  '%s ends a comparison, and leaves neither a worktree nor a server',
  async (signal) => {
    const repository = await mkdtemp(join(directory, 'repository-'));
    const git = (...args: string[]) => execFileSync('git', args, { cwd: repository, encoding: 'utf8' });
    git('init', '-q');
    const who = ['-c', 'user.name=Weir', '-c', 'user.email=weir@localhost'];
    git(...who, 'commit', '-q', '--allow-empty', '-m', 'x');
    const marker = join(repository, 'waiting');
    const start = { command: `sleep 60.375 & touch "${marker}"; wait` };
    const scenario = await scenarioFile('hangup', { target: 'http://127.0.0.1:1', start });
    const { code } = await runCli(['compare', scenario, '--base', 'HEAD'], {
      cwd: repository,
      env: { TMPDIR: repository },
      onStart: (child) => {
        // A terminal that closes reads no more, and may tell so more than once.
        child.stderr?.destroy();
        const looking = setInterval(() => {
          if (!existsSync(marker)) return;
          clearInterval(looking);
          child.kill(signal);
          if (signal === 'SIGHUP') child.kill(signal);
        }, 20);
      },
    });
    expect(code).toBe(130);
    expect(git('worktree', 'list').trim().split('\n')).toHaveLength(1);
    expect((await readdir(repository)).filter((name) => name.startsWith('weir-bench-'))).toEqual([]);
    const left = execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' }).split('\n');
    expect(left.filter((line) => line.includes('sleep 60.375'))).toEqual([]);
  },
);

test('outputs go into directories that are made for them', async () => {
  const out = (name: string): string => join(directory, 'made', name, 'report');
  const args = ['--json', out('json'), '--report', `junit=${out('junit')}`, '--history', out('history')];
  const { code } = await runCli([
    'run',
    await scenarioFile('outputs', {}),
    ...args,
    '--quiet',
    '--ignore-doubts',
  ]);
  expect(code).toBe(0);
  for (const file of [out('json'), out('junit'), join(out('history'), 'outputs.jsonl')])
    expect(existsSync(file)).toBe(true);
});

test.each<[Command, string[], RegExp]>([
  [runCommand, ['--json', 'file/below.json'], /file is no directory/],
  [runCommand, ['--report', 'html=.'], /Cannot write .*: it is a directory/],
  [runCommand, ['--report', 'markdown=ok.md', '--report', 'csv=file/a/b.csv'], /file is no directory/],
  [runCommand, ['--history', 'file'], /file is no directory/],
  [runCommand, ['--history', 'git:..'], /is no name for a branch/],
  [compareCommand, ['--base', '.', '--json', 'file/below.json'], /file is no directory/],
  [compareCommand, ['--base', '.', '--report', 'prometheus=x.prom'], /no Prometheus report/],
  [compareCommand, ['--base', '.', '--profile', 'file'], /file is no directory/],
  [profileCommand, ['--base', '.', '--out', 'file/below'], /file is no directory/],
])('an output that cannot be written is refused before any load: %#', async (command, args, message) => {
  await writeFile(join(directory, 'file'), '');
  const before = server.arrivals.length;
  const inside = args.map((arg) =>
    /^[-.]/.test(arg) || arg.startsWith('git:')
      ? arg
      : arg.replace(/^(\w+=)?(.*)/, (_, kind = '', name) => `${kind}${join(directory, name)}`),
  );
  const nowhere = { write: () => true };
  const context = { stdout: nowhere, stderr: nowhere, signal: new AbortController().signal };
  const error = await command.run([await scenarioFile('early', {}), ...inside], context).then(
    () => undefined,
    (thrown: Error) => thrown,
  );
  expect(error?.message).toMatch(message);
  expect(exitCodeOf(error)).toBe(64);
  expect(server.arrivals.length).toBe(before);
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
  [
    'a redirect out of the allow-list',
    async () => ['run', await scenarioFile('away', { target: redirecting.target }), '--quiet'],
    4,
    /redirects to http:\/\/192\.0\.2\.1, which is not allowed and was not followed/,
  ],
  ['a missing feed', async () => ['run', await feedScenario('none.csv')], 64, /none\.csv.*ENOENT/],
  ['a broken CSV feed', async () => ['run', await feedScenario('broken.csv')], 64, /broken\.csv/],
  ['a broken JSON feed', async () => ['run', await feedScenario('broken.json')], 64, /broken\.json/],
  [
    'a start command that dies',
    async () => [
      'run',
      await startScenario('sleep 60.125 & echo "Error: no database" >&2; exit 3'),
      '--quiet',
    ],
    3,
    /exited with code 3; its last words: Error: no database/,
  ],
  [
    'a start command that never listens',
    async () => ['run', await startScenario('sleep 60.125', 200), '--quiet'],
    3,
    /did not answer on port \d+ within 200 ms/,
  ],
  [
    'a comparison whose build dies',
    async () => ['compare', await startScenario('sleep 60.125 & exit 3'), '--base', '.', '--quiet'],
    3,
    /exited with code 3/,
  ],
])('%s is one clear line and its exit code', async (_name, args, expected, text) => {
  const { code, stdout, stderr } = await runCli(await args());
  expect(code).toBe(expected);
  expect(stderr).toMatch(text);
  expect(stderr).toMatch(/^weir-bench: [^\n]+\n$/);
  expect(stdout).toBe('');
  const left = execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' }).split('\n');
  expect(left.filter((line) => line.includes('sleep 60.125'))).toEqual([]);
});

test('a slower build exits with 1, is profiled, and its report names what makes it slow', {
  timeout: 90_000,
}, async () => {
  const file = join(directory, 'build.mjs');
  await writeFile(
    file,
    `import { createServer } from 'node:http';
const steps = Number(process.argv[2]);
function grind() { let sum = 0; for (let i = 0; i < steps; i += 1) sum += Math.sqrt(i); return sum; }
createServer((_, response) => response.end(String(grind() < 0))).listen(Number(process.env.PORT), '127.0.0.1');`,
  );
  const build = (steps: number) => `exec "${process.execPath}" "${file}" ${steps}`;
  const scenario = await scenarioFile('builds', { target: 'http://127.0.0.1:1' });
  const out = (name: string) => join(directory, name);
  const { code, stdout } = await runCli([
    ...['compare', scenario, '--base', build(60_000), '--head', build(600_000), '--design', 'duet'],
    ...['--pairs', '9', '--max-pairs', '9', '--warmup', '0.3', '--measure', '0.4', '--connections', '4'],
    ...['--json', out('compared.json'), '--report', `markdown=${out('pr.md')}`, '--profile', out('profile')],
  ]);
  expect(stdout).toMatch(/^builds: head is slower, /);
  // V8 may have put the function into its caller, a line below.
  expect(stdout).toMatch(/takes more in head:\n {2}\+[\d.]+ µs a request {2}\S+ \S*build\.mjs:[34] /);
  expect(code).toBe(1);
  expect(explainComparison(JSON.parse(await readFile(out('compared.json'), 'utf8')))).toBeUndefined();
  expect(await readFile(out('pr.md'), 'utf8')).toMatch(/\| `\S+ \S*build\.mjs:[34]` \| \+/);
  expect(await readFile(out('profile/flame.svg'), 'utf8')).toContain('build.mjs:');
  expect(JSON.parse(await readFile(out('profile/profile.speedscope.json'), 'utf8')).profiles).toHaveLength(2);
});

test.each([
  ['faster', 0],
  ['same', 0],
  ['slower', 1],
  ['inconclusive', 2],
  ['invalid', 3],
] as const)('the verdict %s is exit code %i', (verdict, code) => {
  expect(exitCodeOfVerdict(verdict)).toBe(code);
});

test('a run without one answer is invalid', async () => {
  const mute = await startScriptedServer((socket) => socket.end());
  const file = await scenarioFile('mute', { target: mute.target });
  const { code, stderr } = await runCli(['run', file, '--quiet']);
  await mute.close();
  expect(code).toBe(3);
  expect(stderr).toContain('no request was answered');
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
