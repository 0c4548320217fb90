import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { AuditLog } from '../src/auth/audit-log.ts';
import { createToken, findToken, roles, tokenOf } from '../src/auth/tokens.ts';
import { askRaw } from './support/raw-request.ts';
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
  ['POST', '/unknown', 'read'],
  ['DELETE', '/api/v1/unknown', 'read'],
  ['PUT', '/api/v1/query', 'read'],
  ['PATCH', '/benchmarks/runs', 'read'],
] as const;

/** Known routes that read by POST, and safe methods, change nothing. */
const isChange = (method: string, path: string, wanted: string): boolean =>
  method !== 'GET' && (wanted !== 'read' || method !== 'POST' || !path.startsWith('/api/v1/'));

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

test('a page of another site is refused by every route that changes something, unknown routes included', async () => {
  const service = await startTestService();
  const signs: Record<string, string>[] = [
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { origin: 'https://evil.example' },
    { origin: 'null' },
  ];
  for (const [method, path, wanted] of routes)
    for (const headers of signs) {
      const response = await fetch(service.url + path, { method, headers });
      const isRefused = response.status === 403 && (await response.text()).includes('Cross-site request');
      expect([method, path, headers, isRefused]).toEqual([
        method,
        path,
        headers,
        isChange(method, path, wanted),
      ]);
    }
});

test('a host in the request target counts, whatever the header says', async () => {
  const service = await startTestService();
  const host = new URL(service.url).host;
  const statusOf = async (target: string, headers: Record<string, string> = {}): Promise<number> =>
    Number(/^HTTP\/1.1 (\d+)/.exec(await askRaw(service.url, `GET ${target} HTTP/1.1`, headers))?.[1]);
  expect(await statusOf(`http://${host}/healthz`, { host: 'evil.example' })).toBe(200);
  expect(await statusOf(`http://localhost/api/v1/targets?state=any`)).toBe(200);
  expect(await statusOf(`http://${host}`)).not.toBe(404);
  expect(await statusOf('http://evil.example/healthz')).toBe(421);
  expect(await statusOf(`http://${host}@evil.example/healthz`)).toBe(421);
  expect(await statusOf(`http:///healthz`)).not.toBe(200);
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

const linesOf = (log: string): Record<string, string>[] =>
  log
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, string>);

test('what changes something is in the audit log with who did it, without secrets', async () => {
  const { token, sha256 } = createToken();
  const service = await startTestService({ auth: { tokens: [{ name: 'ci', role: 'admin', sha256 }] } });
  const send = (method: string, path: string, body?: string, type = 'text/plain') =>
    fetch(service.url + path, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': type }) },
      ...(body === undefined ? {} : { body }),
    });
  const otlp = JSON.stringify({
    resourceMetrics: ['a', 'b'].map((name) => ({
      resource: { attributes: [{ key: 'service.name', value: { stringValue: name } }] },
      scopeMetrics: [{ metrics: [{ name: 'y', gauge: { dataPoints: [{ asDouble: 1 }] } }] }],
    })),
  });
  await send('DELETE', '/benchmarks/runs');
  await send('POST', '/push/nightly', 'done 1\n');
  await send('PUT', '/push/nightly/run-1', 'done 1\n');
  await send('DELETE', '/push/nightly');
  await send('DELETE', '/push/nightly');
  await send('POST', '/v1/metrics', otlp, 'application/json');
  await send('POST', '/api/v1/otlp/v1/metrics', '{', 'application/json');
  await send('DELETE', `/unknown/x?token=${token}`);
  await send('POST', '/api/v1/query?query=1');
  await send('GET', '/unknown');
  const log = readFileSync(join(service.directory, '.weir/data/audit.log'), 'utf8');
  expect(
    linesOf(log).map(({ caller, action, subject, outcome }) => [caller, action, subject, outcome]),
  ).toEqual([
    ['ci', 'benchmark.cancel', 'all', '0'],
    ['ci', 'push', 'nightly', 'accepted'],
    ['ci', 'push', 'nightly/run-1', 'accepted'],
    ['ci', 'push.delete', 'nightly', 'deleted'],
    ['ci', 'push.delete', 'nightly', 'unknown'],
    ['ci', 'otlp', 'a, b', 'accepted'],
    ['ci', 'otlp', '/api/v1/otlp/v1/metrics', 'refused (400)'],
    ['ci', 'DELETE unknown', '/unknown/x', 'refused (404)'],
  ]);
  expect(log).not.toContain(token);
});

test('every route that changes something names the change in the audit log, for callers that it refuses too', async () => {
  const tokens = (['read', 'admin'] as const).map((role) => ({ name: role, role, ...createToken() }));
  const service = await startTestService({
    registration: { allow: ['127.0.0.1'] },
    auth: { tokens: tokens.map(({ name, role, sha256 }) => ({ name, role, sha256 })) },
  });
  const file = join(service.directory, '.weir/data/audit.log');
  for (const [method, path, wanted] of routes) {
    // Renewals come every minute and are left out.
    if (method === 'PUT' && path === '/targets/none') continue;
    rmSync(file, { force: true });
    for (const authorization of [undefined, ...tokens.map(({ token }) => `Bearer ${token}`)])
      await fetch(service.url + path, {
        method,
        headers: authorization === undefined ? {} : { authorization },
      });
    const lines = linesOf(existsSync(file) ? readFileSync(file, 'utf8') : '');
    const callers = isChange(method, path, wanted) ? ['read', 'admin'] : [];
    expect([method, path, lines.map(({ caller }) => caller)]).toEqual([method, path, callers]);
    for (const { action } of lines)
      expect(action).toMatch(wanted === 'read' ? /^[A-Z]+ unknown$/ : /^[a-z]+(\.[a-z]+)?$/);
  }
});

test('the audit log keeps five files at most, and says once that it cannot be written', () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'audit.log');
  const errors: string[] = [];
  const open = (): AuditLog =>
    new AuditLog({ path, now: () => 0, maxBytes: 1_000, onError: (message) => errors.push(message) });
  const write = (log: AuditLog, subject: string): void =>
    log.write({ caller: 'a', address: 'b', action: 'push', subject, outcome: 'accepted' });
  let log = open();
  for (let at = 0; at < 100; at++) {
    if (at === 50) log = open();
    write(log, `${at} `.padEnd(1_000, 'x'));
  }
  const files = readdirSync(directory).sort();
  expect(files).toEqual(['audit.log', ...[1, 2, 3, 4].map((at) => `audit.log.${at}`)]);
  const kept = files.toReversed().flatMap((file) => linesOf(readFileSync(join(directory, file), 'utf8')));
  expect(kept.map(({ subject }) => Number.parseInt(subject ?? '', 10))).toEqual(
    Array.from({ length: kept.length }, (_, at) => 100 - kept.length + at),
  );
  for (const file of files) expect(statSync(join(directory, file)).size).toBeLessThanOrEqual(1_000);
  rmSync(directory, { recursive: true });
  write(log, 'c');
  write(log, 'd');
  mkdirSync(directory);
  write(log, 'e');
  rmSync(directory, { recursive: true });
  write(log, 'f');
  expect(errors).toHaveLength(2);
  expect(errors[0]).toContain('push by a not written: ENOENT');
});

test('without a token the service refuses to listen beyond loopback', async () => {
  const ended = await runServiceProcess(temporaryDirectory(), { listen: { host: '0.0.0.0' }, targets: [] });
  expect(ended.code).toBe(2);
  expect(ended.stderr).toContain('listen.host: "0.0.0.0" is not loopback');
});
