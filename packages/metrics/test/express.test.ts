import { expressMetrics } from '@weir/metrics/express';
import express, { type Express } from 'express';
import { expect, test } from 'vitest';
import { type Layer, mountTemplate } from '../src/adapters/express.ts';
import { createMetrics } from '../src/index.ts';
import { listen } from './otlp-receiver.ts';
import { samplesOf } from './samples.ts';

/** The routes that requests for `paths` count under. */
async function routesOf(build: (app: Express) => void, paths: readonly string[]): Promise<string[]> {
  const metrics = createMetrics({ service: 'test', runtime: false });
  const app = express().use(expressMetrics({ metrics }));
  build(app);
  const { url, stop } = await listen(app);
  for (const path of paths) await fetch(url + path).then((response) => response.text());
  const found = async (): Promise<[number, string[]]> => {
    const counts = [...(await samplesOf(metrics))].filter(([name]) =>
      name.startsWith('http_server_request_duration_seconds_count'),
    );
    const total = counts.reduce((sum, [, count]) => sum + count, 0);
    return [total, counts.map(([name]) => /http_route="((?:[^"\\]|\\.)*)"/.exec(name)?.[1] ?? '')];
  };
  await expect.poll(async () => (await found())[0]).toBe(paths.length);
  await stop();
  await metrics.close();
  return (await found())[1].map((route) => route.replaceAll('\\\\', '\\'));
}

const items = (): express.Router => {
  const answer = (_request: express.Request, response: express.Response): unknown => response.send('ok');
  return express.Router({ mergeParams: true }).get('/x', answer).get('/', answer);
};

const mounts: readonly [mount: string | RegExp | (string | RegExp)[], paths: string[], routes: string[]][] = [
  [
    '/flights/:from-:to',
    ['/flights/SFO-LAX/x', '/flights/a-a/x', '/flights/%2d-b/x'],
    ['/flights/:from-:to/x'],
  ],
  ['/api/v:version', ['/api/v7001/x', '/api/vv/x', '/API/V7/x'], ['/api/v:version/x']],
  [/^\/re\/[^/]+/, ['/re/guest/x', '/re/owner/x'], ['/^\\/re\\/[^/]+//x']],
  [/^\/(\d+)-(?<name>\w+)/, ['/1-a/x', '/2-b/x'], ['/^\\/(\\d+)-(?<name>\\w+)//x']],
  [
    ['/one', '/two/:n', /^\/three\d+/],
    ['/one/x', '/ONE/x', '/two/2/x', '/three3/x'],
    ['/one/x', '/two/:n/x', '/^\\/three\\d+//x'],
  ],
  ['/files/*path', ['/files/a/b/c', '/files/d'], ['/files/*path']],
  ['/o{/:lang}', ['/o', '/o/de'], ['/o{/:lang}']],
  ['/Application/', ['/application/x', '/APPLICATION/x', '/aPPlication/x'], ['/Application/x']],
  ['/tenants/:tid', ['/tenants/tenants/x', '/tenants/%74/x', '/tenants/a%20b/x'], ['/tenants/:tid/x']],
  ['/', ['/x'], ['/x']],
];

test.each(mounts)('a mount on %s counts requests for %j under %j', async (mount, paths, routes) => {
  const found = await routesOf((app) => app.use(mount, items()), paths);
  expect(found.sort()).toEqual([...routes].sort());
});

test('mounts in mounts, mounted apps and what follows a mount keep their own templates', async () => {
  const build = (app: Express): void => {
    const sub = express();
    sub.use('/b:b', items());
    app.use('/A/:a', sub);
    app.use('/A/:a', items());
    app.get('/A/:a/after', (_request, response) => void response.send('ok'));
    app.get('/plain', (_request, response) => void response.send('ok'));
  };
  const found = await routesOf(build, ['/a/1/b2/x', '/A/2/B3/x', '/a/1/x', '/a/1/after', '/plain']);
  expect(found.sort()).toEqual(['/A/:a/after', '/A/:a/b:b/x', '/A/:a/x', '/plain']);
});

test('every spelling of a mount is one route, and a parameter callback that waits changes nothing', async () => {
  const build = (app: Express): void => {
    const router = items();
    app.param('who', (_request, _response, next) => setImmediate(next));
    app.use('/application/:who', router);
  };
  const spell = (bits: number): string =>
    [...'application'].map((char, at) => ((bits >> at) & 1 ? char.toUpperCase() : char)).join('');
  const paths = Array.from({ length: 40 }, (_, index) => `/${spell(index * 51)}/${index}/x`);
  expect(await routesOf(build, paths)).toEqual(['/application/:who/x']);
});

test('a middleware inside a mount never takes the path of the mount for its template', async () => {
  const metrics = createMetrics({ service: 'test', runtime: false });
  const router = express.Router().use(expressMetrics({ metrics }));
  router.get('/x', (_request, response) => void response.send('ok'));
  const { url, stop } = await listen(express().use('/tenants/:tid', router));
  for (const tid of ['first', 'second', 'third'])
    await fetch(`${url}/tenants/${tid}/x`).then((response) => response.text());
  const routes = async (): Promise<string[]> =>
    [...(await metrics.scrape()).body.matchAll(/duration_seconds_count\{.*http_route="([^"]*)".* (\d)/g)].map(
      ([, route, count]) => `${route} ${count}`,
    );
  // The adapter sees the application at its first request.
  await expect.poll(routes).toEqual(['/*/x 1', '/tenants/:tid/x 2']);
  await stop();
  await metrics.close();
});

const ordinary = (params: Record<string, string>) => () => ({ params });
const bare = (params: Record<string, unknown>) => () => ({
  params: Object.assign(Object.create(null), params),
});
const generated = (source: string): RegExp => new RegExp(`${source}\\/?(?=\\/|$)`, 'i');

// Layers of routers before 2.3 and of Express 4.
const older: readonly [Layer, url: string, params: Record<string, unknown>, template: string][] = [
  [{ keys: ['tid'], matchers: [bare({ tid: '42' })] }, '/tenants/42', { tid: '42' }, '/tenants/:tid'],
  [
    { keys: ['tid'], matchers: [bare({ tid: 'tenants' })] },
    '/tenants/tenants',
    { tid: 'tenants' },
    '/tenants/:tid',
  ],
  [{ keys: ['x', 'y'], matchers: [bare({})] }, '/a/1/b/1', { x: '1', y: '1' }, '/a/:x/b/:y'],
  [{ keys: ['a', 'b'], matchers: [bare({})] }, '/f/SFO-LAX', { a: 'SFO', b: 'LAX' }, '/f/:a-:b'],
  [{ keys: ['path'], matchers: [bare({})] }, '/f/a/b', { path: ['a', 'b'] }, '/f/:path'],
  [{ keys: ['name'], matchers: [bare({})] }, '/a%20b', { name: 'a b' }, '/:name'],
  [{ keys: ['name'], matchers: [bare({})] }, '/%41b', { name: 'Ab' }, '/*'],
  [{ keys: ['v'], matchers: [bare({})] }, '/api/vv', { v: 'v' }, '/*'],
  [{ keys: [], matchers: [bare({})] }, '/PLAIN', {}, '/plain'],
  [{ keys: [], matchers: [() => false, ordinary({})] }, '/re/guest', {}, '/*'],
  [
    { keys: [{ name: 'v' }], regexp: generated('^\\/api\\/v(?:([^\\/]+?))') },
    '/API/V7',
    { v: '7' },
    '/api/v:v',
  ],
  [{ keys: [{ name: 'l' }], regexp: generated('^\\/o(?:\\/([^\\/]+?))?') }, '/o', { l: undefined }, '/o'],
  [{ keys: [{ name: 0 }], regexp: generated('^\\/x\\/(.*)') }, '/x/a/b', { 0: 'a/b' }, '/x/:0'],
  [{ keys: [], regexp: /^\/re\/[^/]+/ }, '/re/guest', {}, '/*'],
];

test.each(older)('the layer %j that took %s with %j reads %4$s', (layer, url, params, template) => {
  expect(mountTemplate(layer, url, params)).toBe(template);
});
