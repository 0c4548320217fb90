import http, { createServer, type RequestListener } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import Router from '@koa/router';
import { expressMetrics } from '@weir/metrics/express';
import { honoMetrics } from '@weir/metrics/hono';
import { setRoute, withHttpMetrics } from '@weir/metrics/http';
import { koaMetrics } from '@weir/metrics/koa';
import express from 'express';
import { Hono } from 'hono';
import Koa from 'koa';
import { describe, expect, test } from 'vitest';
import { mountTemplate } from '../src/adapters/express.ts';
import { createMetrics, type Metrics } from '../src/index.ts';
import { samplesOf } from './samples.ts';

const never = (): Promise<never> => new Promise(() => {});

const frameworks: Readonly<Record<string, (metrics: Metrics, entered: () => void) => RequestListener>> = {
  express: (metrics, entered) => {
    const app = express();
    app.use(expressMetrics({ metrics }));
    const items = express.Router({ mergeParams: true });
    items.get('/items/:id', (request, response) => {
      response.send(`item ${request.params.id} of ${request.baseUrl} by ${request.route.path}`);
    });
    const tenants = express.Router();
    tenants.use('/shops/:shop', items);
    app.use('/tenants/:tid', tenants);
    app.get('/fails', () => {
      throw Object.assign(new Error('no'), { status: 503 });
    });
    app.get('/hangs', entered);
    return app;
  },
  koa: (metrics, entered) => {
    const app = new Koa();
    app.silent = true;
    app.use(koaMetrics({ metrics }));
    const router = new Router({ prefix: '/tenants/:tid/shops/:shop' });
    router.get('/items/:id', (context) => {
      context.body = `item ${context.params.id} of /tenants/42/shops/7 by /items/:id`;
    });
    const top = new Router();
    top.get('/fails', (context) => context.throw(503));
    top.get('/hangs', () => {
      entered();
      return never();
    });
    app.use(router.routes()).use(top.routes());
    return app.callback();
  },
  hono: (metrics, entered) => {
    const app = new Hono();
    app.use(honoMetrics({ metrics }));
    const items = new Hono();
    items.get('/items/:id', (context) =>
      context.text(`item ${context.req.param('id')} of /tenants/42/shops/7 by /items/:id`),
    );
    app.route('/tenants/:tid/shops/:shop', items);
    app.get('/fails', (context) => context.text('no', 503));
    app.get('/hangs', () => {
      entered();
      return never();
    });
    return getRequestListener(app.fetch);
  },
  'node:http': (metrics, entered) =>
    withHttpMetrics(
      { metrics, route: ({ url }) => (url === '/hangs' ? url : undefined) },
      (request, response) => {
        if (request.url === '/hangs') return entered();
        if (request.url === '/fails') {
          setRoute(response, '/fails');
          return response.writeHead(503).end();
        }
        const match = /^\/tenants\/\w+\/shops\/\w+\/items\/(\w+)$/.exec(request.url ?? '');
        if (match === null) return response.writeHead(404).end();
        setRoute(response, '/tenants/:tid/shops/:shop/items/:id');
        return response.end(`item ${match[1]} of /tenants/42/shops/7 by /items/:id`);
      },
    ),
};

async function serve<T>(
  name: string,
  use: (origin: string, metrics: Metrics, entered: Promise<void>) => Promise<T>,
): Promise<T> {
  const metrics = createMetrics({ service: 'test', runtime: false });
  let enter = (): void => {};
  const entered = new Promise<void>((resolve) => {
    enter = resolve;
  });
  const listener = frameworks[name]?.(metrics, enter) as RequestListener;
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    return await use(`http://127.0.0.1:${(server.address() as { port: number }).port}`, metrics, entered);
  } finally {
    server.closeAllConnections();
    server.close();
    await metrics.close();
  }
}

const series = (route: string, status: number): string =>
  `http_server_request_duration_seconds_count{http_request_method="GET",http_route="${route}",http_response_status_code="${status}"}`;

describe.each(Object.keys(frameworks))('%s', (name) => {
  test('requests count under the whole template of nested mounts, and handlers see what they always saw', async () => {
    await serve(name, async (origin, metrics) => {
      for (const id of ['1', '2', 'items']) {
        const body = await fetch(`${origin}/tenants/42/shops/7/items/${id}`).then((response) =>
          response.text(),
        );
        expect(body).toBe(`item ${id} of /tenants/42/shops/7 by /items/:id`);
      }
      await expect
        .poll(async () => (await samplesOf(metrics)).get(series('/tenants/:tid/shops/:shop/items/:id', 200)))
        .toBe(3);
    });
  });

  test('errors count under their route, unknown paths are folded', async () => {
    await serve(name, async (origin, metrics) => {
      await fetch(`${origin}/fails`);
      for (let index = 0; index < 20; index += 1) await fetch(`${origin}/tenants/${index}/nothing`);
      await expect.poll(async () => (await samplesOf(metrics)).get(series('_UNMATCHED', 404))).toBe(20);
      const samples = await samplesOf(metrics);
      expect(samples.get(series('/fails', 503))).toBe(1);
      expect(
        [...samples.keys()].filter((key) => key.startsWith('http_server_request_duration_seconds_count')),
      ).toHaveLength(2);
    });
  });

  test('a client that leaves early counts once as 499', async () => {
    await serve(name, async (origin, metrics, entered) => {
      const request = http.get(`${origin}/hangs`).on('error', () => {});
      await entered;
      request.destroy();
      await expect.poll(async () => (await samplesOf(metrics)).get(series('/hangs', 499))).toBe(1);
      expect((await samplesOf(metrics)).get('http_server_active_requests{http_request_method="GET"}')).toBe(
        0,
      );
    });
  });
});

test.each([
  ['/tenants/42', { tid: '42' }, '/tenants/:tid'],
  ['/tenants/tenants', { tid: 'tenants' }, '/tenants/:tid'],
  ['/a/1/b/1', { x: '1', y: '1' }, '/a/:x/b/:y'],
  ['/a%20b', { name: 'a b' }, '/:name'],
  ['/plain', {}, '/plain'],
  ['/%zz', { name: 'other' }, '/%zz'],
])('the mount %s with %j was %s', (url, params, template) => {
  expect(mountTemplate(url, params)).toBe(template);
});

test('under keep-alive every response is counted for its own request', async () => {
  const metrics = createMetrics({ service: 'test', runtime: false });
  const routes = ['/a', '/b', '/c', '/d'];
  const listener = withHttpMetrics({ metrics, route: ({ url }) => url }, (request, response) => {
    setImmediate(() => response.writeHead(200 + routes.indexOf(request.url as string)).end());
  });
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const agent = new http.Agent({ keepAlive: true, maxSockets: 3 });
  const ask = (path: string): Promise<void> =>
    new Promise((resolve, reject) => {
      http.get({ port, path, agent }, (response) => response.resume().on('end', resolve)).on('error', reject);
    });
  await Promise.all(Array.from({ length: 420 }, (_, index) => ask(routes[index % 4] as string)));
  const samples = await samplesOf(metrics);
  for (const [index, route] of routes.entries()) expect(samples.get(series(route, 200 + index))).toBe(105);
  expect(
    [...samples.keys()].filter((key) => key.startsWith('http_server_request_duration_seconds_count')),
  ).toHaveLength(4);
  agent.destroy();
  server.close();
  await metrics.close();
});
