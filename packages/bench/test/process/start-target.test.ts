import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createTcpServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@weir/test-kit';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import {
  type Arm,
  compareBuilds,
  profileBuilds,
  renderReport,
  runBenchmark,
  type Scenario,
} from '../../src/index.ts';
import { explainComparison } from '../../src/result/result-schema.ts';
import { selfSigned } from '../certificate.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'weir-start-'));
  await writeFile(
    join(directory, 'server.mjs'),
    `import { readFileSync } from 'node:fs';
import * as http from 'node:http';
import * as https from 'node:https';
const { KEY, CERT, DIES_AFTER = Infinity, DIES_BY, PORT } = process.env;
const end = {
  throws: () => { throw new Error('boom: out of handles'); },
  exits: () => process.exit(0),
  killed: () => process.kill(process.pid, 'SIGKILL'),
};
let answered = 0;
const answer = (request, response) => {
  response.end('ok');
  if (request.url === '/ready') return;
  answered += 1;
  if (answered > DIES_AFTER) end[DIES_BY]();
};
const server = KEY === undefined
  ? http.createServer(answer)
  : https.createServer({ key: readFileSync(KEY), cert: readFileSync(CERT) }, answer);
server.listen(Number(PORT), '127.0.0.1');`,
  );
  const { key, cert } = selfSigned('right');
  await writeFile(join(directory, 'key.pem'), key);
  await writeFile(join(directory, 'cert.pem'), cert);
});
afterAll(() => rm(directory, { recursive: true }));

const older: Server[] = [];
afterEach(() => {
  for (const server of older.splice(0)) server.close();
});

function start(variables: Readonly<Record<string, string>> = {}) {
  const command = `exec "${process.execPath}" "${join(directory, 'server.mjs')}"`;
  return { command, env: variables, ready: '/ready', readyTimeoutMs: 20_000 };
}

const base = { name: 'started', requests: [{ path: '/' }], warmupMs: 0, durationMs: 30_000 };
const flows = [{ name: 'one', steps: [{ path: '/' }] }];
const loads: [string, Partial<Scenario>][] = [
  ['a closed loop', { connections: 2 }],
  ['an open loop', { rate: 100 }],
  ['an open loop of two threads', { rate: 100, workers: 2 }],
  ['flows', { requests: [], flows, connections: 2 }],
  ['an open loop of flows', { requests: [], flows, rate: 100 }],
];

test.each(loads)(
  '%s ends as an error when the target that it started dies, and tells its last words',
  async (_name, load) => {
    const target = `http://127.0.0.1:${await freePort()}`;
    const run = runBenchmark({
      ...base,
      target,
      ...load,
      objectives: ['p99 < 20s'],
      start: start({ DIES_AFTER: '20', DIES_BY: 'throws' }),
    });
    await expect(run).rejects.toMatchObject({
      code: 'ERR_WEIR_BENCH_TARGET_ENDED',
      message: expect.stringMatching(/exited with code 1; its last words: Error: boom: out of handles\./),
    });
  },
);

test.each([
  ['exits', /it exited with code 0\./],
  ['killed', /it was ended by SIGKILL\./],
])('a target that %s by itself is an error of the run', async (dies, message) => {
  const target = `http://127.0.0.1:${await freePort()}`;
  const run = runBenchmark({ ...base, target, start: start({ DIES_AFTER: '5', DIES_BY: dies }) });
  await expect(run).rejects.toMatchObject({ message: expect.stringMatching(message) });
});

test('an abort of a run whose target was started gives what was measured', async () => {
  const target = `http://127.0.0.1:${await freePort()}`;
  const abort = new AbortController();
  const options = { signal: abort.signal, onProgress: () => abort.abort() };
  expect(await runBenchmark({ ...base, target, start: start() }, options)).toMatchObject({ partial: true });
});

/** An older server; `answer` undefined: it accepts connections and answers none. */
async function listenFirst(answer: RequestListener | undefined, host: string): Promise<number> {
  const server = answer === undefined ? createTcpServer(() => {}) : createHttpServer(answer);
  older.push(server);
  server.listen(0, host);
  await once(server, 'listening');
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

test.each<[string, string, string, RequestListener | undefined]>([
  ['answers', '127.0.0.1', '127.0.0.1', (_request, response) => response.end('old')],
  ['answers on every address', '0.0.0.0', '127.0.0.1', (_request, response) => response.end('old')],
  ['answers at localhost', '127.0.0.1', 'localhost', (_request, response) => response.end('old')],
  ['answers with failures', '127.0.0.1', '127.0.0.1', (_request, response) => response.writeHead(503).end()],
  ['hangs', '127.0.0.1', '127.0.0.1', undefined],
])(
  'a port on which an older server %s is refused before anything is started',
  async (_name, host, asked, answer) => {
    let requests = 0;
    const counting: RequestListener = (request, response) => {
      requests += 1;
      answer?.(request, response);
    };
    const port = await listenFirst(answer && counting, host);
    const log = join(directory, 'began.txt');
    await rm(log, { force: true });
    const target = `http://${asked}:${port}`;
    const run = runBenchmark({
      ...base,
      target,
      start: { ...start(), command: `touch "${log}"; ${start().command}` },
    });
    await expect(run).rejects.toMatchObject({
      code: 'ERR_WEIR_BENCH_START',
      message: expect.stringContaining(`something already listens at ${target}`),
    });
    expect(requests).toBe(0);
    await expect(readFile(log)).rejects.toThrow('ENOENT');
  },
);

const secure = () => ({ KEY: join(directory, 'key.pem'), CERT: join(directory, 'cert.pem') });

test('a server that speaks HTTPS is asked in HTTPS whether it is ready, and measured', async () => {
  const target = `https://127.0.0.1:${await freePort()}`;
  const { requests } = await runBenchmark({
    ...base,
    target,
    durationMs: 200,
    tls: { ca: secure().CERT },
    start: start(secure()),
  });
  expect(requests.ok).toBeGreaterThan(0);
  expect(requests.errors).toBe(0);
});

test('a server whose certificate nobody vouches for is never ready, and the reason is told', async () => {
  const target = `https://127.0.0.1:${await freePort()}`;
  const run = runBenchmark({ ...base, target, start: { ...start(secure()), readyTimeoutMs: 1_500 } });
  await expect(run).rejects.toMatchObject({
    code: 'ERR_WEIR_BENCH_START',
    message: expect.stringMatching(
      /did not answer on port \d+ within 1500 ms \(DEPTH_ZERO_SELF_SIGNED_CERT\)/,
    ),
  });
});

const arm = (label: string, variables?: Readonly<Record<string, string>>): Arm => ({
  directory,
  start: start(variables),
  label,
});
const plan = { minPairs: 3, maxPairs: 3 };
const load = { connections: 2, warmupMs: 50, durationMs: 100 };

test('builds that speak HTTPS are compared and profiled over HTTPS', async () => {
  const scenario = {
    name: 'secure',
    target: 'https://127.0.0.1:1',
    requests: [{ path: '/' }],
    tls: { ca: secure().CERT },
  };
  // Long enough for a handshake and an answer on a busy machine.
  const longLoad = { ...load, durationMs: 1_000 };
  const builds = {
    base: arm('base', secure()),
    head: arm('head', secure()),
    scenario,
    load: longLoad,
  };
  const { pairs } = await compareBuilds({ ...builds, plan: { minPairs: 1, maxPairs: 1 } });
  expect(pairs[0]?.base).toMatchObject({ errors: 0 });
  expect(pairs[0]?.base.answered).toBeGreaterThan(0);
  const profile = await profileBuilds({ ...builds, rounds: 1, minSamples: 0 });
  expect(profile.pairs).toHaveLength(1);
});

test.each(['base', 'head'] as const)(
  'a comparison in which the %s dies in one pair is invalid, and says so',
  async (name) => {
    const healthy = { base: arm('base'), head: arm('head') };
    const dying = `if [ -f "${join(directory, name)}" ]; then export DIES_AFTER=3; fi; touch "${join(directory, name)}"; `;
    const spec = start({ DIES_BY: 'throws' });
    const builds = {
      ...healthy,
      [name]: { ...healthy[name], start: { ...spec, command: `${dying}${spec.command}` } },
    };
    const result = await compareBuilds({
      ...builds,
      scenario: { name: 'dying', target: 'http://127.0.0.1:1', requests: [{ path: '/' }], timeoutMs: 500 },
      load,
      plan,
      // Of the first pair nothing may be answered in its 100 ms; only the end of the server counts here.
      limits: { generatorDemand: 10, steal: 1, errors: 1 },
    });
    // Further pairs could not make up for it.
    expect(result.pairs).toHaveLength(2);
    expect(result).toMatchObject({ verdict: 'invalid', partial: true });
    expect(result.doubts).toMatchObject([
      {
        code: 'target-ended',
        message: expect.stringContaining(
          `${name} ended under load in 1 of 2 pairs: it exited with code 1; its last words: Error: boom`,
        ),
      },
    ]);
    expect(explainComparison(JSON.parse(JSON.stringify(result)))).toBeUndefined();
    for (const kind of ['text', 'markdown', 'html', 'junit', 'github'] as const)
      expect(renderReport({ kind: 'comparison', result }, kind)).toContain('boom');
  },
);

test('a build that dies while it is profiled is told', async () => {
  const scenario = { name: 'dying', target: 'http://127.0.0.1:1', requests: [{ path: '/' }], timeoutMs: 500 };
  const builds = { base: arm('base'), head: arm('head', { DIES_AFTER: '3', DIES_BY: 'throws' }) };
  await expect(profileBuilds({ ...builds, scenario, load, rounds: 1 })).rejects.toMatchObject({
    code: 'ERR_WEIR_BENCH_PROFILE',
    message: expect.stringMatching(
      /head ended under load: it exited with code 1; its last words: Error: boom/,
    ),
  });
});
