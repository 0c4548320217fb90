import { expect, test } from 'vitest';
import { createToken } from '../src/auth/tokens.ts';
import { connectionLimits, serverLimits } from '../src/http/create-app.ts';
import { openRaw } from './support/raw-request.ts';
import { startTestService } from './support/test-service.ts';

const slow = 20_000;
const patient = { headMs: slow, requestMs: slow, unreadMs: slow, idleMs: slow };
const { token, sha256 } = createToken();
const auth = { tokens: [{ name: 'a', role: 'admin', sha256 } as const] };

const head = (requestLine: string, ...lines: string[]): string =>
  [`${requestLine} HTTP/1.1`, 'Host: 127.0.0.1', ...lines, '', ''].join('\r\n');
const withToken = `Authorization: Bearer ${token}`;
const endless = 'Content-Length: 100000';
const json = 'Content-Type: application/json';
const chunked = 'Transfer-Encoding: chunked';

const unread: readonly [string, RegExp][] = [
  [head('POST /v1/metrics', endless), /^HTTP\/1.1 401/],
  [head('POST /push/job', chunked), /^HTTP\/1.1 401/],
  [head('GET /healthz', endless), /^HTTP\/1.1 200/],
  [head('GET /api/v1/query?query=1', withToken, endless), /^HTTP\/1.1 200/],
  [head('POST /unknown', endless), /^HTTP\/1.1 401/],
  [head('PROPFIND /', withToken, endless), /^HTTP\/1.1 404/],
  [head('POST /%zz', endless), /^HTTP\/1.1 400/],
  [head('POST http://evil.example/', endless), /^HTTP\/1.1 421/],
  [head('POST /targets', withToken, json, 'Content-Length: 99999999'), /^HTTP\/1.1 413/],
];

test('a body that never ends holds its connection no longer than the answer needs', async () => {
  const service = await startTestService({ auth }, undefined, { limits: { ...patient, unreadMs: 50 } });
  await Promise.all(
    unread.map(async ([text, answer]) => {
      const { closed, socket } = openRaw(service.url, text);
      socket.write(text.includes(chunked) ? '1\r\nx\r\n' : 'x');
      expect(await closed, text).toMatch(answer);
    }),
  );
});

const endlessRequests: readonly string[] = [
  'GET /',
  'POST /v1/metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n',
  `${head('POST /v1/metrics', withToken, json, endless)}{`,
  `${head('POST /push/job', withToken, endless)}a`,
  `${head('POST /push/job', withToken, 'Content-Encoding: gzip', endless)}x`,
  `${head('POST /targets', withToken, json, endless)}{`,
  `${head('POST /api/v1/query', withToken, 'Content-Type: application/x-www-form-urlencoded', endless)}q`,
  `${head('PUT /benchmarks/a/runs/b/artefacts/c', withToken, 'Content-Type: x/y', endless)}x`,
];

test('a request whose head or body never ends is closed when its time is over', async () => {
  const limits = { ...patient, headMs: 50, requestMs: 60 };
  const service = await startTestService({ auth }, undefined, { limits });
  await Promise.all(
    endlessRequests.map(async (text) => {
      expect(await openRaw(service.url, text).closed, text).toMatch(/^(HTTP\/1.1 408|$)/);
    }),
  );
});

test('a client that is still sending when it is refused gets the answer, and keeps its connection once the body has ended', async () => {
  const service = await startTestService(
    { auth, scrape: { interval: '1s', maxBodyBytes: 100_000 } },
    undefined,
    { limits: patient },
  );
  const size = 3_000_000;
  const { received, socket, closed } = openRaw(
    service.url,
    head('POST /push/job', withToken, `Content-Length: ${size}`),
  );
  socket.write('#'.repeat(1_000_000));
  await expect.poll(received).toMatch(/^HTTP\/1.1 400[\s\S]*longer than 100000 bytes/);
  socket.write('#'.repeat(size - 1_000_000));
  socket.write(head('GET /healthz', 'Connection: close'));
  expect((await closed).match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 400', 'HTTP/1.1 200']);
});

test('the limits of a service are a minute for a request, and less for its head and for a body that nobody reads', () => {
  expect(connectionLimits).toEqual({ headMs: 15_000, requestMs: 60_000, unreadMs: 5_000, idleMs: 180_000 });
  expect(serverLimits(connectionLimits)).toEqual({
    requestTimeout: 60_000,
    connectionTimeout: 180_000,
    http: { headersTimeout: 15_000, connectionsCheckingInterval: 3_750 },
  });
});
