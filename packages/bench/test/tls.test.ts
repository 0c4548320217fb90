import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { runBenchmark, type Scenario } from '../src/index.ts';
import { selfSigned } from './certificate.ts';

const right = selfSigned('right');
const wrong = selfSigned('wrong');
let directory: string;
let ca: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'weir-tls-'));
  ca = join(directory, 'ca.pem');
  await writeFile(ca, right.cert);
});
afterAll(() => rm(directory, { recursive: true }));

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** Answers `good` requests with the right certificate, one a connection; then the certificate is another. */
async function start(good: number): Promise<string> {
  let answered = 0;
  const started = createServer({ ...right }, (_request, response) => {
    answered += 1;
    if (answered === good) started.setSecureContext(wrong);
    response.setHeader('connection', 'close');
    response.end('hello');
  });
  server = started;
  started.listen(0, '127.0.0.1');
  await once(started, 'listening');
  return `https://127.0.0.1:${(started.address() as AddressInfo).port}`;
}

const load = (target: string, more: Partial<Scenario>) =>
  runBenchmark({
    name: 'tls',
    target,
    requests: [{ path: '/' }],
    connections: 2,
    warmupMs: 0,
    durationMs: 400,
    timeoutMs: 5_000,
    tls: { ca },
    ...more,
  });

const loops: [string, Partial<Scenario>][] = [
  ['a closed loop', {}],
  ['an open loop', { rate: 50 }],
  ['an open loop of two threads', { rate: 50, workers: 2 }],
  ['flows', { requests: [], flows: [{ name: 'one', steps: [{ path: '/' }] }] }],
];

test.each(loops)('%s over TLS is answered when the authority is named', async (_name, more) => {
  const result = await load(await start(Number.POSITIVE_INFINITY), more);
  expect(result.requests.ok).toBeGreaterThan(0);
  expect(result.requests.errors).toBe(0);
});

test.each(loops)('%s counts every request that meets a wrong certificate', async (_name, more) => {
  const result = await load(await start(5), more);
  expect(result.requests.ok).toBeGreaterThan(0);
  expect(result.failures.refused).toBeGreaterThan(0);
  expect(result.requests.total).toBe(result.requests.ok + result.requests.errors);
});

test('a certificate that nobody vouches for is one clear error before any load', async () => {
  await writeFile(join(directory, 'other.pem'), wrong.cert);
  await expect(load(await start(1), { tls: { ca: join(directory, 'other.pem') } })).rejects.toMatchObject({
    code: 'ERR_WEIR_BENCH_UNREACHABLE',
    message: expect.stringMatching(/DEPTH_ZERO_SELF_SIGNED_CERT/),
  });
});

test.each([
  ['missing.pem', /missing\.pem: cannot be read \(ENOENT\)/],
  ['empty.pem', /empty\.pem: is no certificate authority in PEM/],
])('an authority in %s is one clear error', async (file, message) => {
  await writeFile(join(directory, 'empty.pem'), 'nothing');
  await expect(load('https://127.0.0.1:1', { tls: { ca: join(directory, file) } })).rejects.toMatchObject({
    code: 'ERR_WEIR_BENCH_FILE',
    message: expect.stringMatching(message),
  });
});
