import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { roles } from '../src/auth/roles.ts';
import { createToken, findToken, tokenOf } from '../src/auth/tokens.ts';
import { runServiceProcess } from './support/service-process.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';
import { startTestService } from './support/test-service.ts';

const routes = [
  ['GET', '/healthz', 'public'],
  ['GET', '/readyz', 'public'],
  ['GET', '/metrics', 'read'],
  ['GET', '/', 'read'],
  ['GET', '/dashboards', 'read'],
  ['GET', '/dashboards/none', 'read'],
  ['GET', '/api/v1/query?query=1', 'read'],
  ['POST', '/api/v1/query', 'read'],
  ['GET', '/api/v1/query_range', 'read'],
  ['GET', '/api/v1/labels', 'read'],
  ['GET', '/api/v1/label/a/values', 'read'],
  ['GET', '/api/v1/series', 'read'],
  ['GET', '/api/v1/metadata', 'read'],
  ['GET', '/api/v1/query_exemplars', 'read'],
  ['GET', '/api/v1/format_query', 'read'],
  ['GET', '/api/v1/rules', 'read'],
  ['GET', '/api/v1/alerts', 'read'],
  ['GET', '/api/v1/targets', 'read'],
  ['GET', '/api/v1/status/config', 'read'],
  ['GET', '/api/v1/unknown', 'read'],
  ['GET', '/sd/targets', 'read'],
  ['GET', '/unknown', 'read'],
  ['GET', '/benchmarks', 'read'],
  ['GET', '/benchmarks/none/runs', 'read'],
  ['GET', '/benchmarks/none/runs/1', 'read'],
  ['GET', '/benchmarks/none/runs/1/events', 'read'],
  ['GET', '/benchmarks/none/comparison', 'read'],
  ['GET', '/benchmarks/comparison', 'read'],
  ['GET', '/benchmarks/none/changes', 'read'],
  ['GET', '/benchmarks/none/runs/1/report', 'read'],
  ['GET', '/benchmarks/none/runs/1/artefacts', 'read'],
  ['GET', '/benchmarks/none/runs/1/artefacts/flame-graph.svg', 'read'],
  ['PUT', '/benchmarks/none/runs/1/artefacts/flame-graph.svg', 'bench'],
  ['POST', '/benchmarks/none/results', 'bench'],
  ['GET', '/targets', 'read'],
  ['POST', '/targets', 'push'],
  ['PUT', '/targets/none', 'push'],
  ['DELETE', '/targets/none', 'push'],
  ['GET', '/openapi.json', 'read'],
  ['GET', '/docs/api', 'read'],
  ['GET', '/ui/explore', 'read'],
  ['GET', '/assets/none.js', 'read'],
  ['GET', '/api/v1/status/buildinfo', 'read'],
  ['GET', '/api/v1/status/runtimeinfo', 'read'],
  ['GET', '/api/v1/status/flags', 'read'],
  ['GET', '/api/v1/status/tsdb', 'read'],
  ['POST', '/api/v1/query_range', 'read'],
  ['POST', '/api/v1/labels', 'read'],
  ['POST', '/api/v1/series', 'read'],
  ['POST', '/api/v1/query_exemplars', 'read'],
  ['POST', '/api/v1/format_query', 'read'],
  ['POST', '/benchmarks/none/runs', 'bench'],
  ['DELETE', '/benchmarks/none/runs/1', 'bench'],
  ['DELETE', '/benchmarks/runs', 'bench'],
  ['POST', '/v1/metrics', 'push'],
  ['POST', '/api/v1/otlp/v1/metrics', 'push'],
  ['POST', '/push/job', 'push'],
  ['PUT', '/push/job/instance', 'push'],
  ['DELETE', '/push/job', 'push'],
] as const;

const mayDo: Record<string, readonly string[]> = {
  push: ['public', 'push'],
  read: ['public', 'read'],
  bench: ['public', 'read', 'bench'],
  admin: ['public', 'push', 'read', 'bench', 'admin'],
};

test('every route wants its role: without a token, with a wrong one, and with each role', async () => {
  const tokens = roles.map((role) => ({ role, ...createToken() }));
  const service = await startTestService({
    registration: { allow: ['127.0.0.1'] },
    auth: { tokens: tokens.map(({ role, sha256 }) => ({ name: `${role}-token`, role, sha256 })) },
  });
  const ask = async (method: string, path: string, token?: string): Promise<number> => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const response = await fetch(service.url + path, { method, headers });
    await response.arrayBuffer();
    return response.status;
  };
  for (const [method, path, wanted] of routes) {
    const label = `${method} ${path}`;
    expect([label, await ask(method, path)]).toEqual([label, wanted === 'public' ? 200 : 401]);
    if (wanted !== 'public')
      expect([label, await ask(method, path, createToken().token)]).toEqual([label, 401]);
    for (const { role, token } of tokens) {
      const status = await ask(method, path, token);
      const isRefused = status === 401 || status === 403;
      expect([label, role, isRefused]).toEqual([label, role, !mayDo[role]?.includes(wanted)]);
    }
  }
});

test('anonymous reading can be allowed, a wrong token then is still refused', async () => {
  const { sha256 } = createToken();
  const service = await startTestService({
    auth: { tokens: [{ name: 'ci', role: 'bench', sha256 }], anonymous: 'read' },
  });
  expect((await fetch(`${service.url}/benchmarks`)).status).toBe(200);
  expect((await fetch(`${service.url}/benchmarks/runs`, { method: 'DELETE' })).status).toBe(403);
  const wrong = { authorization: 'Bearer weir_wrong' };
  expect((await fetch(`${service.url}/benchmarks`, { headers: wrong })).status).toBe(401);
});

test('a token is found by its hash, as Bearer and as the password of Basic', () => {
  const { token, sha256 } = createToken();
  const entry = { name: 'a', role: 'read', sha256 } as const;
  expect(findToken(token, [entry])).toBe(entry);
  expect(findToken(`${token}x`, [entry])).toBeUndefined();
  expect(tokenOf(`Bearer ${token}`)).toBe(token);
  expect(tokenOf(`Basic ${Buffer.from(`anyone:${token}`).toString('base64')}`)).toBe(token);
  expect(tokenOf('Basic !')).toBeUndefined();
  expect(tokenOf(undefined)).toBeUndefined();
});

test('a page of another site can neither change anything nor ask under a name of its own', async () => {
  const service = await startTestService();
  const stop = (headers: Record<string, string>) =>
    fetch(`${service.url}/benchmarks/runs`, { method: 'DELETE', headers });
  expect((await stop({ 'sec-fetch-site': 'cross-site' })).status).toBe(403);
  expect((await stop({ origin: 'https://evil.example' })).status).toBe(403);
  expect((await stop({ origin: service.url, 'sec-fetch-site': 'same-origin' })).status).toBe(200);
  const withHost = (host: string): Promise<number | undefined> =>
    new Promise((resolve) => {
      httpRequest(`${service.url}/api/v1/targets`, { headers: { host } }, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).end();
    });
  expect(await withHost('evil.example')).toBe(421);
  expect(await withHost('localhost:4040')).toBe(200);
  await service.change({ listen: { allowedHosts: ['weir.internal'] } });
  expect(await withHost('weir.internal')).toBe(200);
});

test('what changes something is in the audit log, without secrets', async () => {
  const { token, sha256 } = createToken();
  const service = await startTestService({ auth: { tokens: [{ name: 'ci', role: 'admin', sha256 }] } });
  const headers = { authorization: `Bearer ${token}` };
  await fetch(`${service.url}/benchmarks/runs`, { method: 'DELETE', headers });
  await fetch(`${service.url}/push/nightly`, { method: 'POST', headers, body: 'done 1\n' });
  const log = readFileSync(join(service.directory, '.weir/data/audit.log'), 'utf8');
  const entries = log
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as object);
  expect(entries).toMatchObject([
    { caller: 'ci', action: 'benchmark.cancel', subject: 'all' },
    { caller: 'ci', action: 'push', subject: 'nightly' },
  ]);
  expect(log).not.toContain(token);
});

test('without a token the service refuses to listen beyond loopback', async () => {
  const ended = await runServiceProcess(temporaryDirectory(), { listen: { host: '0.0.0.0' }, targets: [] });
  expect(ended.code).toBe(2);
  expect(ended.stderr).toContain('listen.host: "0.0.0.0" is not loopback');
});
