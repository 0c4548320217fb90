import { type AddressInfo, createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { AllowList, isForbidden } from '../src/network/address-policy.ts';
import {
  assertLiteralAllowed,
  GuardedClient,
  guardedLookup,
  resolveAllowed,
} from '../src/network/guarded-client.ts';
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
  '168.63.129.16',
  'fd00:ec2::254',
  'fd20:ce::254',
  'fd00:c1::a9fe:a9fe',
  'fd00:42::42',
  'fd00:a9fe:a9fe::1',
  'ff02::1',
  'fe80::a9fe:a9fe%eth0',
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
  '168.63.129.17',
  'fd20:cf::254',
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

// How IPv6 writes `address`, form by form: the standards' own layouts, byte by byte.
function formsOf(address: string): Record<string, string> {
  const [a, b, c, d] = address.split('.').map(Number) as [number, number, number, number];
  const v6 = (...bytes: number[]): string =>
    Array.from({ length: 8 }, (_, at) =>
      (((bytes[at * 2] ?? 0) << 8) | (bytes[at * 2 + 1] ?? 0)).toString(16),
    ).join(':');
  const last = (...head: number[]): string =>
    v6(...head, ...new Array<number>(12 - head.length).fill(0), a, b, c, d);
  const local = [0, 0x64, 0xff, 0x9b, 0, 1];
  return {
    mapped: last(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff),
    'mapped, dotted': `::ffff:${address}`,
    compatible: last(),
    'compatible, dotted': `::${address}`,
    translated: last(0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff),
    NAT64: last(0, 0x64, 0xff, 0x9b),
    'local NAT64 /48': v6(...local, a, b, 0, c, d),
    'local NAT64 /56': v6(...local, 0, a, 0, b, c, d),
    'local NAT64 /64': v6(...local, 0, 0, 0, a, b, c, d),
    'local NAT64 /96': last(...local),
    '6to4': v6(0x20, 2, a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
    'Teredo server': v6(0x20, 1, 0, 0, a, b, c, d, 0, 0, 0, 0, 0xf7, 0xf7, 0xf7, 0xf7),
    'Teredo client': v6(0x20, 1, 0, 0, 8, 8, 8, 8, 0, 0, 0, 0, a ^ 255, b ^ 255, c ^ 255, d ^ 255),
    ISATAP: last(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0x5e, 0xfe),
    'ISATAP, universal': last(0xfe, 0xc0, 0, 0, 0, 0, 0, 0, 2, 0, 0x5e, 0xfe),
  };
}

test('a forbidden IPv4 address is refused in every form that IPv6 writes it in, others are not', () => {
  const verdicts = (address: string): Record<string, boolean> =>
    Object.fromEntries(Object.entries(formsOf(address)).map(([form, text]) => [form, isForbidden(text)]));
  const all = (verdict: boolean): Record<string, boolean> =>
    Object.fromEntries(Object.keys(formsOf('1.2.3.4')).map((form) => [form, verdict]));
  for (const address of ['169.254.169.254', '100.100.100.200', '168.63.129.16', '192.0.0.192', '224.0.0.1'])
    expect([address, verdicts(address)]).toEqual([address, all(true)]);
  for (const address of ['10.1.2.3', '8.8.8.8', '192.168.0.9'])
    expect([address, verdicts(address)]).toEqual([address, all(false)]);
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
