import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createManualClock } from '@weir/test-kit';
import { expect, test } from 'vitest';
import { createToken } from '../src/auth/tokens.ts';
import { TargetRegistry } from '../src/exchange/target-registry.ts';
import { AllowList, explainAllowEntry } from '../src/network/address-policy.ts';
import { startFakeTarget } from './support/fake-target.ts';
import { eventually, getJson, instant } from './support/service-process.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';
import { startTestService } from './support/test-service.ts';

const loopback = { allow: ['127.0.0.0/8'] };
const up = (answer: [object, string][]): boolean => answer[0]?.[1] === '1';

async function register(
  service: { readonly url: string },
  body: object,
): Promise<{ status: number; body: Record<string, string>; location: string | null }> {
  const response = await fetch(`${service.url}/targets`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const location = response.headers.get('location');
  return { status: response.status, body: (await response.json()) as Record<string, string>, location };
}

test('a registered target is scraped, listed and renewed, and ends with its deletion', async () => {
  const target = await startFakeTarget('jobs_total 7\n');
  const service = await startTestService({ registration: loopback });
  const body = { job: 'worker', url: `${target.url}/metrics`, labels: { zone: 'a' }, ttl: '1m' };
  const first = await register(service, body);
  expect(first.status).toBe(201);
  expect(first.body).toMatchObject({
    job: 'worker',
    url: body.url,
    labels: { zone: 'a' },
    registeredBy: 'local',
  });
  expect(first.location).toBe(`/targets/${first.body.id}`);
  const renewed = await register(service, body);
  expect(renewed.status).toBe(200);
  expect(renewed.body.id).toBe(first.body.id);
  expect(Date.parse(renewed.body.expiresAt ?? '')).toBeGreaterThanOrEqual(
    Date.parse(first.body.expiresAt ?? ''),
  );
  const found = await eventually(
    () => instant(service, 'jobs_total'),
    (answer) => answer.length === 1,
  );
  expect(found[0]?.[0]).toMatchObject({ job: 'worker', instance: target.instance, zone: 'a' });
  expect(await getJson(`${service.url}/targets`)).toEqual([renewed.body]);
  const path = `${service.url}/targets/${first.body.id}`;
  expect((await fetch(path, { method: 'PUT' })).status).toBe(200);
  expect((await fetch(path, { method: 'DELETE' })).status).toBe(204);
  expect((await fetch(path, { method: 'DELETE' })).status).toBe(404);
  expect((await fetch(path, { method: 'PUT' })).status).toBe(404);
  await eventually(
    () => instant(service, 'jobs_total'),
    (answer) => answer.length === 0,
  );
});

test('registration is off without an allow-list, and refuses what the list does not name', async () => {
  const target = await startFakeTarget('secret 1\n');
  const service = await startTestService();
  const body = { job: 'x', url: target.url };
  expect((await register(service, body)).status).toBe(403);
  await service.change({ registration: { allow: ['10.0.0.0/8', `127.0.0.1:1`], maxTargets: 1 } });
  for (const url of [
    target.url,
    'http://[::1]:9090/',
    'http://[::ffff:127.0.0.1]:9090/',
    'http://2130706433/',
    'http://0177.0.0.1/',
    'http://0x7f.1/',
    'http://169.254.169.254/latest/meta-data',
    'http://[::ffff:169.254.169.254]/',
    'http://localhost/',
    'http://unknown.invalid/',
  ])
    expect([url, (await register(service, { job: 'x', url })).status]).toEqual([url, 403]);
  expect(target.requests).toBe(0);
  for (const wrong of [
    { job: 'x' },
    { job: 'x y', url: target.url },
    { job: 'x', url: 'ftp://127.0.0.1/' },
    { job: 'x', url: 'http://user:secret@127.0.0.1:1/' },
    { job: 'x', url: 'http://127.0.0.1:1/', labels: { instance: 'mine' } },
    { job: 'x', url: 'http://127.0.0.1:1/', labels: { __name__: 'mine' } },
    { job: 'x', url: 'http://127.0.0.1:1/', ttl: '2d' },
    { job: 'x', url: 'http://127.0.0.1:1/', ttl: 'soon' },
  ])
    expect([wrong, (await register(service, wrong)).status]).toEqual([wrong, 400]);
  expect((await register(service, { job: 'x', url: 'http://127.0.0.1:1/' })).status).toBe(201);
  expect((await register(service, { job: 'y', url: 'http://127.0.0.1:1/' })).status).toBe(409);
});

test('a redirect of a registered target leads nowhere', async () => {
  const secret = await startFakeTarget('secret 1\n');
  const target = await startFakeTarget((_request, response) =>
    response.writeHead(302, { location: secret.url }).end(),
  );
  const service = await startTestService({ registration: loopback });
  await register(service, { job: 'moved', url: target.url });
  await eventually(
    () => instant(service, 'up{job="moved"}'),
    (answer) => answer[0]?.[1] === '0',
  );
  expect(secret.requests).toBe(0);
});

test('a target of the configuration cannot be taken over', async () => {
  const target = await startFakeTarget('a 1\n');
  const service = await startTestService({
    registration: loopback,
    targets: [{ job: 'shop', url: `${target.url}/metrics` }],
  });
  expect((await register(service, { job: 'shop', url: `${target.url}/other` })).status).toBe(409);
  expect((await register(service, { job: 'weir', url: `${service.url}/x` })).status).toBe(409);
});

test('registrations are known after a restart, and a change of the allow-list holds for them', async () => {
  const target = await startFakeTarget('a 1\n');
  const directory = temporaryDirectory();
  const first = await startTestService({ registration: loopback }, directory);
  await register(first, { job: 'kept', url: target.url });
  await first.close();
  const second = await startTestService({ registration: loopback }, directory);
  await eventually(() => instant(second, 'up{job="kept"}'), up);
  await second.change({ registration: { allow: ['10.0.0.0/8'] } });
  await eventually(
    () => instant(second, 'up{job="kept"}'),
    (answer) => answer[0]?.[1] === '0',
  );
});

test('who registered what is in the audit log', async () => {
  const { token, sha256 } = createToken();
  const service = await startTestService({
    registration: loopback,
    auth: { tokens: [{ name: 'fleet', role: 'push', sha256 }] },
  });
  const response = await fetch(`${service.url}/targets`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ job: 'j', url: 'http://127.0.0.1:1/' }),
  });
  expect(response.status).toBe(201);
  const log = readFileSync(join(service.directory, '.weir/data/audit.log'), 'utf8');
  expect(JSON.parse(log)).toMatchObject({
    caller: 'fleet',
    action: 'target.register',
    subject: 'j 127.0.0.1:1',
  });
});

test('a registration that is not repeated ends, and a damaged file costs only itself', () => {
  const clock = createManualClock(1_000_000);
  const path = join(temporaryDirectory(), 'registrations.json');
  const changes: number[] = [];
  const errors: string[] = [];
  const open = () =>
    new TargetRegistry({
      path,
      now: clock.now,
      onChange: () => changes.push(1),
      onError: (message) => errors.push(message),
    });
  const registry = open();
  const target = { job: 'j', url: new URL('http://10.0.0.1/metrics'), labels: {} };
  registry.put(target, 60_000, 'ci');
  registry.stop();
  clock.advance(59_999);
  const again = open();
  expect(again.targets(new AllowList([]))).toMatchObject([{ job: 'j', labels: {} }]);
  again.stop();
  clock.advance(1);
  expect(open().list()).toEqual([]);
  expect(errors).toEqual([]);
});

test('an entry of an allow-list that allows nothing is a mistake', () => {
  for (const entry of ['host', 'host:80', '10.0.0.0/8', '10.0.0.0/8:80', '::1', 'fd00::/8', '[fd00::1]:80'])
    expect([entry, explainAllowEntry(entry)]).toEqual([entry, undefined]);
  for (const entry of ['http://host', 'host/8', '10.0.0.0/33', 'a b', 'user@host'])
    expect([entry, explainAllowEntry(entry)]).not.toEqual([entry, undefined]);
});

test('an asked list of targets is scraped within its allow-list, and kept while it cannot be had', async () => {
  const target = await startFakeTarget('a 1\n');
  let answer = JSON.stringify([
    { targets: [target.instance], labels: { job: 'listed', __metrics_path__: '/m', zone: 'b' } },
    { targets: ['10.1.2.3:80', '169.254.169.254'], labels: {} },
  ]);
  const list = await startFakeTarget((_request, response) => response.end(answer));
  const service = await startTestService({
    discovery: [{ job: 'other', url: `${list.url}/sd`, interval: '100ms', allow: ['127.0.0.0/8'] }],
  });
  const found = await eventually(() => instant(service, 'up{job="listed"}'), up);
  expect(found[0]?.[0]).toMatchObject({ instance: target.instance, zone: 'b' });
  const shown = await getJson<{ data: { activeTargets: { scrapeUrl: string }[] } }>(
    `${service.url}/api/v1/targets`,
  );
  expect(shown.data.activeTargets.map(({ scrapeUrl }) => scrapeUrl)).toEqual([
    `${service.url}/metrics`,
    `${target.url}/m`,
  ]);
  const asked = list.requests;
  answer = 'no list';
  await eventually(
    async () => list.requests,
    (count) => count > asked + 1,
  );
  expect(up(await instant(service, 'up{job="listed"}'))).toBe(true);
  answer = '[]';
  await eventually(
    () => instant(service, 'up{job="listed"}'),
    (result) => result.length === 0,
  );
});

test('what one service lists another scrapes', async () => {
  const target = await startFakeTarget('a 1\n');
  const first = await startTestService({ targets: [{ job: 'shop', url: `${target.url}/metrics` }] });
  const second = await startTestService({
    discovery: [{ job: 'x', url: `${first.url}/sd/targets`, interval: '100ms', allow: ['127.0.0.1'] }],
  });
  await eventually(() => instant(second, 'up{job="shop"}'), up);
});
