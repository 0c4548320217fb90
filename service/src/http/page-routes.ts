import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import { dashboards } from '@weir/dashboards';
import type { FastifyInstance } from 'fastify';
import type { Config } from '../config/config.ts';
import { sendProblem } from './answers.ts';

/** `/dashboards`, `/page-settings`, and the web page from its build output in `webRoot`. */
export async function addPageRoutes(
  app: FastifyInstance,
  webRoot: string,
  config: () => Config,
): Promise<void> {
  app.get('/page-settings', async () => ({ traceUrl: config().page.traceUrl ?? null }));
  app.get('/dashboards', async () =>
    dashboards.map(({ uid, title, description }) => ({ uid, title, description })),
  );
  app.get<{ Params: { uid: string } }>('/dashboards/:uid', async (request, reply) => {
    const dashboard = dashboards.find(({ uid }) => uid === request.params.uid);
    if (dashboard === undefined) {
      return sendProblem(reply, 404, 'Unknown dashboard', 'GET /dashboards lists the dashboards.');
    }
    return reply.type('application/json').send(await readFile(dashboard.file, 'utf8'));
  });

  if (!existsSync(join(webRoot, 'index.html'))) {
    app.get('/', async (_request, reply) =>
      sendProblem(reply, 503, 'The web page is not built', 'Run `pnpm build`; the API works without it.'),
    );
    return;
  }
  await app.register(fastifyStatic, { root: webRoot, serve: false, index: false });
  const page = { maxAge: 0, immutable: false } as const;
  app.get('/', (_request, reply) => reply.sendFile('index.html', page));
  app.get('/ui', (_request, reply) => reply.redirect('/', 302));
  app.get('/ui/*', (_request, reply) => reply.sendFile('index.html', page));
  // Names under /assets carry a hash of their content.
  app.get('/assets/*', (request, reply) =>
    reply.sendFile(`assets/${(request.params as { '*': string })['*']}`, {
      maxAge: 31_536_000_000,
      immutable: true,
    }),
  );
  for (const name of ['favicon.svg', 'favicon.ico'])
    if (existsSync(join(webRoot, name))) app.get(`/${name}`, (_request, reply) => reply.sendFile(name));
}
