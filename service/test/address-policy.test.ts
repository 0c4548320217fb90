import { type AddressInfo, createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import {
  assertLiteralAllowed,
  embeddedIpv4,
  guardedLookup,
  isForbidden,
} from '../src/network/address-policy.ts';
import { AllowList } from '../src/network/allow-list.ts';
import { GuardedClient } from '../src/network/guarded-request.ts';
import { resolveAllowed } from '../src/network/resolve-allowed.ts';
import { startFakeTarget } from './support/fake-target.ts';

test.each([
  '169.254.169.254',
  '169.254.0.1',
  '100.100.100.200',
  '192.0.0.192',
  '0.0.0.0',
  '224.0.0.1',
  '255.255.255.255',
  '::',
  'fe80::1',
  'fd00:ec2::254',
  'ff02::1',
  '::ffff:169.254.169.254',
  '::ffff:a9fe:a9fe',
  '64:ff9b::a9fe:a9fe',
  '2002:a9fe:a9fe::1',
  'not an address',
])('nothing is sent to %s', (address) => {
  expect(isForbidden(address)).toBe(true);
});

test.each([
  '127.0.0.1',
  '10.1.2.3',
  '192.168.0.9',
  '8.8.8.8',
  '::1',
  'fd12:3456::1',
  '::ffff:10.0.0.1',
  '2001:db8::1',
])('%s may be scraped when the configuration names it', (address) => {
  expect(isForbidden(address)).toBe(false);
});

test.each([
  'http://169.254.169.254/latest',
  'http://2852039166/',
  'http://0xa9fea9fe/',
  'http://0251.0376.0251.0376/',
  'http://[::ffff:169.254.169.254]/',
  'http://[::ffff:a9fe:a9fe]/',
  'http://[fe80::1]/',
])('a URL that writes a forbidden address as %s is refused', (url) => {
  expect(() => assertLiteralAllowed(new URL(url))).toThrow('refused to connect');
});

test('an IPv4 address inside an IPv6 one is found', () => {
  expect(embeddedIpv4('::ffff:1.2.3.4')).toBe('1.2.3.4');
  expect(embeddedIpv4('64:ff9b::102:304')).toBe('1.2.3.4');
  expect(embeddedIpv4('2002:102:304::')).toBe('1.2.3.4');
  expect(embeddedIpv4('2001:db8::1')).toBeUndefined();
});

test('a name that resolves to a forbidden address among others is refused, and what was checked is what is connected', async () => {
  let answers = [[{ address: '127.0.0.1', family: 4 }], [{ address: '169.254.169.254', family: 4 }]];
  let asked = 0;
  const lookup = guardedLookup(undefined, (_host, _options, callback) =>
    callback(null, answers[asked++] ?? []),
  );
  const resolve = (): Promise<unknown> =>
    new Promise((done) => lookup('rebind.test', { all: false }, (error, address) => done(error ?? address)));
  expect(await resolve()).toBe('127.0.0.1');
  // One connection asks once: the rebound answer comes only with the next, and is refused.
  expect(asked).toBe(1);
  expect(String(await resolve())).toContain('169.254.169.254');
  answers = [
    [
      { address: '10.0.0.1', family: 4 },
      { address: 'fe80::1', family: 6 },
    ],
  ];
  asked = 0;
  expect(String(await resolve())).toContain('refused to connect to rebind.test: fe80::1');
});

test('a redirect is not followed', async () => {
  const secret = await startFakeTarget('secret');
  const target = await startFakeTarget((_request, response) =>
    response.writeHead(302, { location: secret.url }).end(),
  );
  const client = new GuardedClient();
  onTestFinished(() => client.close());
  const answer = await client.request(new URL(target.url), { signal: AbortSignal.timeout(5_000) });
  answer.resume();
  expect(answer.statusCode).toBe(302);
  expect(secret.requests).toBe(0);
});

test('load goes to loopback and to what is allowed, judged by every resolved address and the port', async () => {
  const names: Record<string, string[]> = {
    'shop.test': ['10.0.0.5'],
    'mixed.test': ['127.0.0.1', '10.9.9.9'],
    'evil.test': ['169.254.169.254'],
  };
  const resolve = async (host: string) =>
    (names[host] ?? []).map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  const check = async (target: string, allow: string[]) =>
    resolveAllowed(target, {
      allow: new AllowList(allow),
      setting: 'load.allow',
      withLoopback: true,
      resolve,
    }).then(
      ({ addresses }) => addresses.map(({ address }) => address).join(),
      () => 'refused',
    );
  expect(await check('http://127.0.0.1:4041', [])).toBe('127.0.0.1');
  expect(await check('http://[::1]:4041', [])).toBe('::1');
  expect(await check('http://2130706433:80', [])).toBe('127.0.0.1');
  expect(await check('http://shop.test', [])).toBe('refused');
  expect(await check('http://shop.test', ['shop.test'])).toBe('10.0.0.5');
  expect(await check('http://shop.test:81', ['shop.test:80'])).toBe('refused');
  expect(await check('http://shop.test', ['10.0.0.0/8'])).toBe('10.0.0.5');
  expect(await check('http://shop.test:81', ['10.0.0.0/8:80'])).toBe('refused');
  expect(await check('http://shop.test:81', ['10.0.0.0/8:81'])).toBe('10.0.0.5');
  expect(await check('http://mixed.test', ['10.0.0.0/24'])).toBe('refused');
  expect(await check('http://evil.test', ['evil.test', '0.0.0.0/0'])).toBe('refused');
  expect(await check('http://unknown.test', ['unknown.test'])).toBe('refused');
});

test('a socket uses the pinned address and no other name', async () => {
  const server = createServer((socket) => socket.end('pinned'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const script = `
    import { connect } from 'node:net';
    import { pinLookups } from ${JSON.stringify(new URL('../src/benchmarks/load-policy.ts', import.meta.url).href)};
    pinLookups('pinned.test', [{ address: '127.0.0.1', family: 4 }]);
    connect(${port}, 'pinned.test').on('data', (part) => process.stdout.write(part));
    connect(${port}, 'localhost').on('error', (error) => process.stdout.write(error.message));
  `;
  const { execFile } = await import('node:child_process');
  const output = await new Promise<string>((resolve, reject) => {
    execFile(process.execPath, ['--input-type=module', '--eval', script], (error, stdout) =>
      error === null ? resolve(stdout) : reject(error),
    );
  });
  expect(output).toContain('pinned');
  expect(output).toContain('localhost is not the target of this benchmark.');
});
