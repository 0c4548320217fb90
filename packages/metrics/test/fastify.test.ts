import { once } from 'node:events';
import http from 'node:http';
import { type ClientHttp2Stream, connect } from 'node:http2';
import { createConnection } from 'node:net';
import { DatabaseSync } from 'node:sqlite';
import { fastifyMetrics } from '@weir/metrics/fastify';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createMetrics, type Metrics } from '../src/index.ts';
import { samplesOf } from './samples.ts';

let metrics: Metrics;
let app: FastifyInstance;

beforeEach(async () => {
  metrics = createMetrics({ service: 'test', runtime: false });
  app = Fastify();
  await app.register(fastifyMetrics, { metrics, path: '/metrics' });
  await app.register(
    (tenants, _options, done) => {
      tenants.get('/:tid', async (request) => request.params);
      done();
    },
    { prefix: '/tenants' },
  );
  app.post('/echo', async (request) => request.body);
});

afterEach(async () => {
  await app.close();
  await metrics.close();
});

const COUNT = 'http_server_request_duration_seconds_count';

test('a request is counted under its route template, with the prefix of its scope', async () => {
  await app.inject('/tenants/42');
  await app.inject('/tenants/43');
  const samples = await samplesOf(metrics);
  expect(
    samples.get(
      `${COUNT}{http_request_method="GET",http_route="/tenants/:tid",http_response_status_code="200"}`,
    ),
  ).toBe(2);
});

test('a request that no route takes and an unknown method are folded', async () => {
  const url = await app.listen({ port: 0 });
  for (let index = 0; index < 50; index += 1) await fetch(`${url}/random/${index}`);
  await new Promise<void>((resolve, reject) => {
    const request = http.request(`${url}/echo`, { method: 'PROPFIND' }, (response) =>
      response.resume().on('end', resolve),
    );
    request.on('error', reject).end();
  });
  const counts = [...(await samplesOf(metrics))].filter(([name]) => name.startsWith(COUNT));
  expect(counts).toEqual([
    [`${COUNT}{http_request_method="GET",http_route="_UNMATCHED",http_response_status_code="404"}`, 50],
    [`${COUNT}{http_request_method="_OTHER",http_route="_UNMATCHED",http_response_status_code="404"}`, 1],
  ]);
});

test('a request whose client leaves early counts once, as 499, and is no longer active', async () => {
  let entered = (): void => {};
  const isEntered = new Promise<void>((resolve) => {
    entered = resolve;
  });
  app.get('/hangs', () => {
    entered();
    return new Promise(() => {});
  });
  const url = await app.listen({ port: 0 });
  const request = http.get(`${url}/hangs`).on('error', () => {});
  await isEntered;
  expect((await samplesOf(metrics)).get('http_server_active_requests{http_request_method="GET"}')).toBe(1);
  request.destroy();
  const aborted = `${COUNT}{http_request_method="GET",http_route="/hangs",http_response_status_code="499"}`;
  await expect.poll(async () => (await samplesOf(metrics)).get(aborted)).toBe(1);
  expect((await samplesOf(metrics)).get('http_server_active_requests{http_request_method="GET"}')).toBe(0);
});

test('body sizes come from Content-Length, and an error thrown by a handler counts as 500', async () => {
  app.get('/fails', async () => {
    throw new Error('no');
  });
  await app.inject({ method: 'POST', url: '/echo', payload: { a: 1 } });
  await app.inject('/fails');
  const samples = await samplesOf(metrics);
  const labels = '{http_request_method="POST",http_route="/echo",http_response_status_code="200"}';
  expect(samples.get(`http_server_request_body_size_bytes_sum${labels}`)).toBe(7);
  expect(samples.get(`http_server_response_body_size_bytes_sum${labels}`)).toBe(7);
  expect(
    samples.get(`${COUNT}{http_request_method="GET",http_route="/fails",http_response_status_code="500"}`),
  ).toBe(1);
});

test('a handler that runs after its body was read is still in the context of its own request', async () => {
  metrics.instrument(new DatabaseSync(':memory:'));
  // The rest of a body is sent once the server waits for it.
  const waiting = new Map<string, () => void>();
  app.addHook('preParsing', (request, _reply, _payload, done) => {
    setImmediate(() => waiting.get((request.params as { who: string }).who)?.());
    done();
  });
  app.post<{ Params: { who: string } }>('/posts/:who', async (request) => ({
    route: metrics.http.contexts?.getStore()?.route,
    sent: (request.body as { who: string }).who === request.params.who,
  }));
  const url = await app.listen({ port: 0 });
  const agent = new http.Agent({ keepAlive: true, maxSockets: 2 });
  const post = (who: string): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json' };
      const request = http.request(`${url}/posts/${who}`, { method: 'POST', agent, headers }, (response) => {
        response.on('data', (chunk: Buffer) => resolve(JSON.parse(chunk.toString())));
      });
      request.on('error', reject);
      request.write('{"who":');
      waiting.set(who, () => request.end(`"${who}"}`));
    });
  const answers = await Promise.all(Array.from({ length: 40 }, (_, index) => post(String(index))));
  expect(answers).toEqual(Array.from({ length: 40 }, () => ({ route: '/posts/:who', sent: true })));
  agent.destroy();
});

test('on one connection with requests in a pipeline each end counts for its own request', async () => {
  metrics.instrument(new DatabaseSync(':memory:'));
  // The first response is ready last. The others wait behind it and end inside another request's work.
  app.get<{ Params: { ms: string } }>('/waits/:ms', async (request) => {
    await new Promise((resolve) => setTimeout(resolve, Number(request.params.ms)));
    return 'ok';
  });
  app.get('/fails', async (_request, reply) => reply.code(503).send('no'));
  const { port } = new URL(await app.listen({ port: 0, host: '127.0.0.1' }));
  const paths = Array.from({ length: 10 }, (_, round) => [
    `/waits/${9 - round}`,
    '/tenants/1',
    '/fails',
  ]).flat();
  const socket = createConnection(Number(port), '127.0.0.1');
  socket.write(paths.map((path) => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`).join(''));
  let received = '';
  for await (const chunk of socket) {
    received += String(chunk);
    if (received.split('HTTP/1.1 ').length > paths.length) break;
  }
  const counts = async (): Promise<(number | undefined)[]> => {
    const samples = await samplesOf(metrics);
    return ['/waits/:ms', '/tenants/:tid', '/fails'].map((route) => {
      const status = route === '/fails' ? 503 : 200;
      const labels = `http_request_method="GET",http_route="${route}",http_response_status_code="${status}"`;
      return samples.get(`${COUNT}{${labels}}`);
    });
  };
  await expect.poll(counts).toEqual([10, 10, 10]);
});

test('a reply by an early hook counts under the route it was for', async () => {
  await app.register(
    (closed, _options, done) => {
      closed.addHook('onRequest', (_request, reply) => reply.code(401).send('no'));
      closed.get('/:id', async () => 'never');
      done();
    },
    { prefix: '/closed' },
  );
  const url = await app.listen({ port: 0 });
  expect((await fetch(`${url}/closed/1`)).status).toBe(401);
  await expect
    .poll(async () =>
      (await samplesOf(metrics)).get(
        `${COUNT}{http_request_method="GET",http_route="/closed/:id",http_response_status_code="401"}`,
      ),
    )
    .toBe(1);
});

test('over HTTP/2 whole responses and those whose client left count apart, on one connection', async () => {
  const server = Fastify({ http2: true });
  await server.register(fastifyMetrics, { metrics, path: false });
  let entered = (): void => {};
  const isEntered = new Promise<void>((resolve) => {
    entered = resolve;
  });
  server.get('/whole', async () => 'yes');
  server.get('/hangs', () => {
    entered();
    return new Promise(() => {});
  });
  const client = connect(await server.listen({ port: 0, host: '127.0.0.1' }));
  const ask = (path: string): ClientHttp2Stream => client.request({ ':path': path }).on('error', () => {});
  await once(ask('/whole').resume(), 'end');
  const hanging = ask('/hangs');
  await isEntered;
  hanging.close(8);
  await once(ask('/whole').resume(), 'end');
  const of = async (route: string, code: number): Promise<number | undefined> =>
    (await samplesOf(metrics)).get(
      `${COUNT}{http_request_method="GET",http_route="${route}",http_response_status_code="${code}"}`,
    );
  await expect.poll(() => of('/hangs', 499)).toBe(1);
  await expect.poll(() => of('/whole', 200)).toBe(2);
  client.close();
  await server.close();
});

test('the scrape route speaks the format that the scraper accepts', async () => {
  const text = await app.inject('/metrics');
  expect(text.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
  const accept = 'application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3';
  const openMetrics = await app.inject({ url: '/metrics', headers: { accept } });
  expect(openMetrics.headers['content-type']).toBe(
    'application/openmetrics-text; version=1.0.0; charset=utf-8',
  );
  expect(openMetrics.body.endsWith('# EOF\n')).toBe(true);
});
