import { execFileSync, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '@weir/test-kit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { measurePair } from '../../src/compare/measure-pair.ts';
import { type Arm, compareBuilds, parseScenario, prepareArm } from '../../src/index.ts';
import { explainComparison } from '../../src/result/result-schema.ts';

const server = join(import.meta.dirname, 'busy-server.mjs');
const scenario = { name: 'busy', target: 'http://127.0.0.1:1', requests: [{ path: '/' }] };
const load = { connections: 4, warmupMs: 200, durationMs: 250 };

function arm(env: string): Arm {
  const start = {
    command: `${env} exec "${process.execPath}" "${server}"`,
    ready: '/ready',
    readyTimeoutMs: 10_000,
  };
  return { directory: tmpdir(), start, label: env };
}

/** Command lines of every process on this machine. */
async function commandLines(): Promise<string[]> {
  return execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).split('\n');
}

test('a build that does ten times the work is slower, by every metric, and nothing is left running', async () => {
  const seen: number[] = [];
  const result = await compareBuilds({
    base: arm('BURN=20000'),
    head: arm('BURN=200000'),
    scenario,
    load,
    plan: { minPairs: 5, maxPairs: 5 },
    judge: { alpha: 0.1 },
    limits: { generatorDemand: 10 },
    random: seededRandom(1),
    onPair: ({ pairs }) => seen.push(pairs),
  });
  expect(result).toMatchObject({ verdict: 'slower', partial: false, doubts: [] });
  expect(explainComparison(JSON.parse(JSON.stringify(result)))).toBeUndefined();
  expect(seen).toEqual([1, 2, 3, 4, 5]);
  const cpu = result.metrics.find((metric) => metric.name === 'cpuUs');
  expect(cpu?.verdict).toBe('slower');
  expect(cpu?.effect).toBeGreaterThan(0.5);
  expect((await commandLines()).filter((line) => line.includes(server))).toEqual([]);
});

test('on one processor the builds take turns, and one that does eight times the work is slower', async () => {
  const result = await compareBuilds({
    base: arm('BURN=20000'),
    head: arm('BURN=160000'),
    scenario,
    design: 'slices',
    load: { connections: 4, warmupMs: 400, durationMs: 800 },
    plan: { minPairs: 5, maxPairs: 5 },
    judge: { alpha: 0.1 },
  });
  expect(result).toMatchObject({ design: 'slices', verdict: 'slower', partial: false });
  expect(result.pinning?.generator).toBe(result.pinning?.targets);
  for (const { base, head, conditions } of result.pairs) {
    expect(conditions.oneCore).toBe(true);
    expect(base.errors + head.errors).toBe(0);
    expect(base.perSecond / head.perSecond).toBeGreaterThan(1.2);
  }
  const rate = result.metrics.find((metric) => metric.name === 'perSecond');
  expect(rate?.effect).toBeGreaterThan(0.2);
});

test('each pair is two fresh processes, and which of them starts first is drawn', async () => {
  const log = join(repository, 'started.txt');
  const logging = (name: string): Arm => {
    const plain = arm('BURN=100');
    const command = `echo ${name} $$ >> "${log}"; ${plain.start.command}`;
    return { ...plain, start: { ...plain.start, command } };
  };
  const draws = [0.1, 0.9, 0.2];
  await compareBuilds({
    base: logging('base'),
    head: logging('head'),
    scenario,
    load: { ...load, warmupMs: 0, durationMs: 100 },
    plan: { minPairs: 3, maxPairs: 3 },
    random: () => draws.shift() ?? 0,
  });
  const started = (await readFile(log, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => line.split(' '));
  expect(started.map(([name]) => name)).toEqual(['base', 'head', 'head', 'base', 'base', 'head']);
  expect(new Set(started.map(([, pid]) => pid)).size).toBe(6);
});

test('a build that answers with failures cannot be compared', async () => {
  const result = await compareBuilds({
    base: arm('BURN=1000'),
    head: arm('STATUS=500'),
    scenario,
    load,
    plan: { minPairs: 1, maxPairs: 1 },
    limits: { generatorDemand: 10 },
  });
  expect(result.verdict).toBe('invalid');
  expect(result.doubts).toMatchObject([
    { code: 'errors', message: expect.stringContaining('head failed 100 %') },
  ]);
});

test('a start command that dies is one clear line with its last words', async () => {
  await expect(
    compareBuilds({
      base: arm('BURN=1'),
      head: arm('BROKEN=1'),
      scenario,
      load,
      plan: { minPairs: 1, maxPairs: 1 },
    }),
  ).rejects.toMatchObject({
    code: 'ERR_WEIR_BENCH_START',
    message: expect.stringMatching(/exited with code 1; its last words: Error: no database\. .*PORT\.$/),
  });
  expect((await commandLines()).filter((line) => line.includes(server))).toEqual([]);
});

test('an abort gives the pairs so far and leaves nothing running', async () => {
  const abort = new AbortController();
  const result = await compareBuilds({
    base: arm('BURN=1000'),
    head: arm('BURN=1001'),
    scenario,
    load,
    limits: { generatorDemand: 10 },
    signal: abort.signal,
    onPair: () => abort.abort(),
  });
  expect(result).toMatchObject({ partial: true, verdict: 'inconclusive' });
  expect(result.pairs).toHaveLength(1);
  // One pair leaves every interval without bounds.
  expect(explainComparison(JSON.parse(JSON.stringify(result)))).toBeUndefined();
  expect((await commandLines()).filter((line) => line.includes(server))).toEqual([]);
});

test('credentials go with every request, and sessions of several steps are compared by their checks', async () => {
  const log = join(repository, 'seen.txt');
  const file = join(repository, 'guarded.mjs');
  await writeFile(
    file,
    `import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
createServer((request, response) => {
  response.statusCode = request.url === '/ready' || request.headers.authorization === 'Bearer key' ? 200 : 401;
  if (request.url !== '/ready') appendFileSync(${JSON.stringify(log)}, request.url + ' ' + response.statusCode + '\\n');
  response.end(request.url === '/items' ? '{"id":7}' : process.env.ANSWER);
}).listen(Number(process.env.PORT), '127.0.0.1');`,
  );
  const guarded = (answer: string): Arm => {
    const command = `ANSWER=${answer} exec "${process.execPath}" "${file}"`;
    return {
      directory: repository,
      start: { ...start, command, ready: '/ready', readyTimeoutMs: 10_000 },
      label: answer,
    };
  };
  const flow = [
    { path: '/items', save: { id: { json: 'id' } } },
    { path: '/items/{{id}}', check: { contains: 'sold' } },
  ];
  const compare = (more: object, head: string) =>
    compareBuilds({
      base: guarded('sold'),
      head: guarded(head),
      scenario: { ...scenario, auth: { bearer: 'key' }, ...more },
      load,
      design: 'duet',
      plan: { minPairs: 1, maxPairs: 1 },
      limits: { generatorDemand: 10 },
    });
  expect((await compare({}, 'sold')).doubts).toEqual([]);
  const flows = { requests: [], flows: [{ name: 'buy', steps: flow }] };
  const same = await compare(flows, 'sold');
  expect(same.doubts).toEqual([]);
  expect(same.pairs[0]?.base).toMatchObject({ errors: 0, non2xx: 0, failedChecks: 0 });
  expect(explainComparison(JSON.parse(JSON.stringify(same)))).toBeUndefined();
  const lines = new Set((await readFile(log, 'utf8')).trim().split('\n'));
  expect(lines).toEqual(new Set(['/ 200', '/items 200', '/items/7 200']));
  // Half of the steps end in an answer that the check refuses, with status 200.
  expect(await compare(flows, 'empty')).toMatchObject({
    verdict: 'invalid',
    doubts: [{ code: 'errors', message: expect.stringMatching(/^head failed (?:4|5)\d % /) }],
  });
  await expect(
    compareBuilds({
      base: guarded('a'),
      head: guarded('a'),
      scenario: { ...scenario, ...flows },
      design: 'slices',
    }),
  ).rejects.toMatchObject({ code: 'ERR_WEIR_BENCH_OPTION' });
});

test('an open loop cannot be compared', async () => {
  await expect(
    compareBuilds({ base: arm(''), head: arm(''), scenario: { ...scenario, rate: 10 } }),
  ).rejects.toMatchObject({ code: 'ERR_WEIR_BENCH_OPTION' });
});

let repository: string;
beforeAll(async () => {
  repository = await mkdtemp(join(tmpdir(), 'weir-repo-'));
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=Weir', '-c', 'user.email=weir@localhost', ...args], {
      cwd: repository,
    });
  git('init', '-q');
  await writeFile(join(repository, 'answer.txt'), 'one');
  git('add', '.');
  git('commit', '-qm', 'one');
  git('tag', 'first');
  await writeFile(join(repository, 'answer.txt'), 'two');
  git('commit', '-qam', 'two');
});
afterAll(() => rm(repository, { recursive: true }));

const start = { command: 'node server.js', ready: '/', readyTimeoutMs: 1_000 };

test('a commit is checked out beside the repository, set up, and removed afterwards', async () => {
  const setup = 'cp answer.txt built.txt';
  const prepared = await prepareArm({ source: 'first', directory: repository, start: { ...start, setup } });
  expect(execFileSync('cat', ['built.txt'], { cwd: prepared.directory, encoding: 'utf8' })).toBe('one');
  expect(prepared.label).toMatch(/^first \([0-9a-f]{10}\)$/);
  await prepared.dispose();
  await expect(readdir(prepared.directory)).rejects.toThrow('ENOENT');
  expect(
    execFileSync('git', ['worktree', 'list'], { cwd: repository, encoding: 'utf8' }).trim().split('\n'),
  ).toHaveLength(1);
});

test('directories and commands are taken as they are', async () => {
  const directory = await prepareArm({ source: '.', directory: repository, start });
  expect(directory).toMatchObject({ directory: repository, start });
  const command = await prepareArm({ source: 'node other.js', directory: repository, start });
  expect(command).toMatchObject({ start: { command: 'node other.js', ready: '/' } });
});

test.each([
  ['nowhere', start, 'ERR_WEIR_BENCH_ARM', /neither a directory nor a commit/],
  ['first', undefined, 'ERR_WEIR_BENCH_ARM', /has no `start`/],
  [
    'first',
    { ...start, setup: 'echo broken >&2; exit 7' },
    'ERR_WEIR_BENCH_START',
    /exited with code 7; its last words: broken/,
  ],
])('%s with %j is one clear line', async (source, spec, code, message) => {
  await expect(prepareArm({ source, directory: repository, start: spec })).rejects.toMatchObject({
    code,
    message: expect.stringMatching(message),
  });
});

test.runIf(process.platform === 'linux')(
  'a process that is killed outright takes its servers and its generator with it',
  async () => {
    const script = `
    import { compareBuilds } from ${JSON.stringify(join(import.meta.dirname, '../../src/index.ts'))};
    const arm = ${JSON.stringify(arm('BURN=77'))};
    process.stdout.write('up');
    await compareBuilds({ base: arm, head: arm, scenario: ${JSON.stringify(scenario)} });`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const generators = async () => {
      const rows = execFileSync('ps', ['-eo', 'ppid,args'], { encoding: 'utf8' }).split('\n');
      return rows.filter((row) => row.trim().startsWith(`${child.pid} `) && row.includes('duet-generator'));
    };
    await expect.poll(generators, { timeout: 15_000 }).toHaveLength(1);
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await exited;
    const left = async () => (await commandLines()).filter((line) => /duet-generator|busy-server/.test(line));
    await expect.poll(left, { timeout: 5_000 }).toEqual([]);
  },
);

test('both builds run with the hook that makes equal processes alike, beside the options of their own', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'weir-options-'));
  const told = (name: string): Arm => ({
    ...arm(`echo "$NODE_OPTIONS" > "${join(directory, name)}";`),
    start: {
      ...arm(`echo "$NODE_OPTIONS" > "${join(directory, name)}";`).start,
      env: { NODE_OPTIONS: '--no-warnings' },
    },
  });
  await measurePair({
    base: told('base'),
    head: told('head'),
    scenario: parseScenario({ ...scenario, ...load }),
    design: 'duet',
    pinning: undefined,
    random: seededRandom(1),
  });
  for (const name of ['base', 'head']) {
    expect(await readFile(join(directory, name), 'utf8')).toMatch(
      /^--no-warnings --import=file:.*steady-hook/,
    );
  }
  await rm(directory, { recursive: true });
});
