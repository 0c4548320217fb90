import http, { createServer, type RequestListener } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import Router from '@koa/router';
import { expressMetrics } from '@weir/metrics/express';
import { fastifyMetrics } from '@weir/metrics/fastify';
import { honoMetrics } from '@weir/metrics/hono';
import { setRoute, withHttpMetrics } from '@weir/metrics/http';
import { koaMetrics } from '@weir/metrics/koa';
import express from 'express';
import Fastify, { type FastifyInstance } from 'fastify';
import { Hono } from 'hono';
import Koa from 'koa';
import { describe, expect, test } from 'vitest';
import { createMetrics, type Metrics } from '../src/index.ts';
import { listen } from './otlp-receiver.ts';
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

async function counted(
  metrics: Metrics,
): Promise<{ active: number | undefined; requests: number; routes: string[] }> {
  const samples = await samplesOf(metrics);
  const counts = [...samples].filter(([name]) =>
    name.startsWith('http_server_request_duration_seconds_count'),
  );
  return {
    active: samples.get('http_server_active_requests{http_request_method="GET"}'),
    requests: counts.reduce((sum, [, count]) => sum + count, 0),
    routes: counts.map(([name]) => /http_route="([^"]*)"/.exec(name)?.[1] ?? ''),
  };
}

const hello = (_request: unknown, response: express.Response): unknown => response.send('ok');
const fastifyListener = async (
  register: (app: FastifyInstance) => Promise<void>,
): Promise<RequestListener> => {
  const app = Fastify();
  await register(app);
  app.get('/a', async () => 'ok');
  await app.ready();
  return (request, response) => app.routing(request, response);
};

/** Programs in which a request passes the middleware more than once. */
const repeated: Record<string, (metrics: Metrics) => RequestListener | Promise<RequestListener>> = {
  'Express: on an app and on one mounted on it': (metrics) => {
    const inner = express().use(expressMetrics({ metrics })).get('/a', hello);
    return express().use(expressMetrics({ metrics })).use(inner);
  },
  'Express: on an app, a router and a route': (metrics) => {
    const router = express.Router().use(expressMetrics({ metrics }));
    router.get('/a', expressMetrics({ metrics }), hello);
    return express().use(expressMetrics({ metrics })).use(router);
  },
  'Express: on an internal redirect': (metrics) => {
    const app = express().use(expressMetrics({ metrics }));
    app.get('/a', hello);
    app.get('/b', (request, response) => {
      request.url = '/a';
      (app as unknown as { handle: RequestListener }).handle(request, response);
    });
    return (request, response) => {
      request.url = '/b';
      app(request, response);
    };
  },
  Koa: (metrics) => {
    const router = new Router().get('/a', (context) => {
      context.body = 'ok';
    });
    return new Koa()
      .use(koaMetrics({ metrics }))
      .use(koaMetrics({ metrics }))
      .use(router.routes())
      .callback();
  },
  'Hono: on an app and on one in it': (metrics) => {
    const inner = new Hono().use(honoMetrics({ metrics })).get('/a', (context) => context.text('ok'));
    return getRequestListener(new Hono().use(honoMetrics({ metrics })).route('/', inner).fetch);
  },
  'Fastify: on an app and on a scope': (metrics) =>
    fastifyListener(async (app) => {
      await app.register(fastifyMetrics, { metrics });
      await app.register(fastifyMetrics, { metrics, path: false });
    }),
};
const around: typeof repeated = {
  Express: (metrics) => express().use(expressMetrics({ metrics })).get('/a', hello),
  Koa: repeated.Koa as (metrics: Metrics) => RequestListener,
  Hono: (metrics) =>
    getRequestListener(
      new Hono().use(honoMetrics({ metrics })).get('/a', (context) => context.text('ok')).fetch,
    ),
  Fastify: (metrics) =>
    fastifyListener(async (app) => {
      await app.register(fastifyMetrics, { metrics });
    }),
  'node:http': (metrics) =>
    withHttpMetrics({ metrics, route: ({ url }) => url }, (_request, response) => response.end('ok')),
};
for (const [name, make] of Object.entries(around))
  repeated[`node:http around ${name}`] = async (metrics) => withHttpMetrics({ metrics }, await make(metrics));

test.each(Object.entries(repeated))(
  'a request that is measured twice counts once, under its route. %s',
  async (_name, make) => {
    const metrics = createMetrics({ service: 'test', runtime: false });
    const { url, stop } = await listen(await make(metrics));
    for (let index = 0; index < 5; index += 1) await fetch(`${url}/a`).then((response) => response.text());
    await expect.poll(() => counted(metrics)).toEqual({ active: 0, requests: 5, routes: ['/a'] });
    await stop();
    await metrics.close();
  },
);

test('on a runtime without responses of Node a request counts once too', async () => {
  const metrics = createMetrics({ service: 'test', runtime: false });
  const inner = new Hono().use(honoMetrics({ metrics })).get('/a', (context) => context.text('ok'));
  const app = new Hono().use(honoMetrics({ metrics })).route('/', inner);
  for (let index = 0; index < 5; index += 1) await app.request('/a');
  expect(await counted(metrics)).toEqual({ active: 0, requests: 5, routes: ['/a'] });
  await metrics.close();
});

test.each(Object.entries(around))(
  'each of two metrics on one app counts every request. %s',
  async (_name, make) => {
    const all = ['one', 'other'].map((service) => createMetrics({ service, runtime: false }));
    const [one, other] = all as [Metrics, Metrics];
    const { url, stop } = await listen(
      withHttpMetrics({ metrics: other, route: () => '/outer' }, await make(one)),
    );
    for (let index = 0; index < 5; index += 1) await fetch(`${url}/a`).then((response) => response.text());
    await expect.poll(() => counted(one)).toEqual({ active: 0, requests: 5, routes: ['/a'] });
    await expect.poll(() => counted(other)).toEqual({ active: 0, requests: 5, routes: ['/outer'] });
    await stop();
    for (const metrics of all) await metrics.close();
  },
);

test('a client that left before the middleware ran counts once as 499 and is not active', async () => {
  const metrics = createMetrics({ service: 'test', runtime: false });
  const app = express();
  let enter = (): void => {};
  const entered = new Promise<void>((resolve) => {
    enter = resolve;
  });
  app.use((_request, response, next) => {
    response.once('close', () => setImmediate(next));
    enter();
  });
  app.use(expressMetrics({ metrics })).get('/a', hello);
  const { url, stop } = await listen(app);
  const request = http.get(`${url}/a`).on('error', () => {});
  await entered;
  request.destroy();
  await expect.poll(() => counted(metrics)).toMatchObject({ active: 0, requests: 1 });
  await stop();
  await metrics.close();
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
