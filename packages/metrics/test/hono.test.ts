import { getRequestListener } from '@hono/node-server';
import { honoMetrics } from '@weir/metrics/hono';
import { Hono } from 'hono';
import { expect, test } from 'vitest';
import { createMetrics } from '../src/index.ts';
import { listen } from './otlp-receiver.ts';
import { samplesOf } from './samples.ts';

function build(): Hono {
  const app = new Hono();
  app.get('/posts/:id', (context) => context.text('one'));
  app.get('/posts/new', (context) => context.text('new'));
  app.get('/first', (context) => context.text('first'));
  app.all('/first', (context) => context.text('second'));
  app.all('/proxy/*', (context) => context.text('proxied'));
  app.all('/proxy-next/*', (context, _next) => Promise.resolve(context.text('proxied')));
  app.get('/gone/*', (context) => context.text('gone', 404));
  app.get('/static/*', (_context, next) => next());
  app.get('/admin/*', (_context, next) => next());
  app.use('/closed/*', (context, _next) => Promise.resolve(context.text('no', 401)));
  app.get('/closed/:id', (context) => context.text('never'));
  app.get('/admin/:page', (context) => context.text('page'));
  app.use('/late/*', async (_context, next) => {
    await next();
  });
  app.on(['GET', 'PURGE'], '/late/:id{[0-9]+}', (context) => context.text('late'));
  const api = new Hono().basePath('/v1');
  api.get('/*', (_context, next) => next());
  api.get('/items/:id?', (context) => context.text('item'));
  api.get('/fails', () => {
    throw new Error('no');
  });
  api.onError((_error, context) => context.text('caught', 500));
  app.route('/api', api);
  app.mount('/mounted', (request) => new Response(new URL(request.url).pathname));
  return app;
}

const requests: readonly [string, string][] = [
  ['/posts/new', '/posts/:id 200'],
  ['/first', '/first 200'],
  ['/proxy/a/b', '/proxy/* 200'],
  ['/proxy-next/a/b', '/proxy-next/* 200'],
  ['/gone/a', '/gone/* 404'],
  ['/static/none', '_UNMATCHED 404'],
  ['/admin/users', '/admin/:page 200'],
  ['/closed/1', '/closed/* 401'],
  ['/late/7', '/late/:id{[0-9]+} 200'],
  ['/late/x', '_UNMATCHED 404'],
  ['/api/v1/items/1', '/api/v1/items/:id? 200'],
  ['/api/v1/fails', '/api/v1/fails 500'],
  ['/api/v1/none', '_UNMATCHED 404'],
  ['/mounted/a', '/mounted/* 200'],
  ['/nothing', '_UNMATCHED 404'],
];

test.each(requests)('%s counts as %s, on Node and elsewhere', async (path, expected) => {
  for (const where of ['node', 'elsewhere']) {
    const metrics = createMetrics({ service: 'test', runtime: false });
    const app = new Hono().use(honoMetrics({ metrics })).route('/', build());
    const { url, stop } = await listen(getRequestListener(app.fetch));
    const answer = where === 'node' ? await fetch(url + path) : await app.request(path);
    await answer.text();
    const counts = async (): Promise<string[]> =>
      [...(await samplesOf(metrics)).keys()]
        .filter((name) => name.startsWith('http_server_request_duration_seconds_count'))
        .map(
          (name) =>
            /http_route="([^"]*)",http_response_status_code="(\d+)"/.exec(name)?.slice(1).join(' ') ?? '',
        );
    await expect.poll(counts).toEqual([expected]);
    await stop();
    await metrics.close();
  }
});
