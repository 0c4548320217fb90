import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import { type DashboardFile, dashboards } from '@weir/dashboards';
import type { FastifyInstance } from 'fastify';
import type { Config } from '../config/config.ts';
import { sendProblem } from './answers.ts';
import { content, empty, json, objectSchema, pathParameters, problem } from './describe-routes.ts';

/** A dashboard in the list. */
export type DashboardEntry = Pick<DashboardFile, 'uid' | 'title' | 'description'>;

/** The part of the configuration that the web page needs. */
export interface PageSettings {
  /** URL of a trace, with `{traceId}` in place of its id; `null` when none is configured. */
  readonly traceUrl: string | null;
}

/** `/dashboards`, `/page-settings`, and the web page from its build output in `webRoot`. */
export async function addPageRoutes(
  app: FastifyInstance,
  webRoot: string,
  config: () => Config,
): Promise<void> {
  const tags = ['Web page'];
  const read = { role: 'read' } as const;
  const settings = {
    config: read,
    schema: {
      tags,
      summary: 'Get the settings of the web page',
      response: {
        200: json('The settings', objectSchema<PageSettings>({ traceUrl: { type: ['string', 'null'] } })),
      },
    },
  };
  app.get(
    '/page-settings',
    settings,
    async (): Promise<PageSettings> => ({ traceUrl: config().page.traceUrl ?? null }),
  );
  const text = { type: 'string' };
  const listing = {
    config: read,
    schema: {
      tags,
      summary: 'List the dashboards',
      response: {
        200: json('The dashboards, general ones first', {
          type: 'array',
          items: objectSchema<DashboardEntry>({ uid: text, title: text, description: text }),
        }),
      },
    },
  };
  app.get(
    '/dashboards',
    listing,
    async (): Promise<DashboardEntry[]> =>
      dashboards.map(({ uid, title, description }) => ({ uid, title, description })),
  );
  const one = {
    config: read,
    schema: {
      tags,
      summary: 'Get a dashboard as Grafana imports it',
      params: pathParameters({ uid: 'The uid of the dashboard' }),
      response: { 200: json('The dashboard', { type: 'object' }), 404: problem('The dashboard is unknown') },
    },
  };
  app.get<{ Params: { uid: string } }>('/dashboards/:uid', one, async (request, reply) => {
    const dashboard = dashboards.find(({ uid }) => uid === request.params.uid);
    if (dashboard === undefined) {
      return sendProblem(reply, 404, 'Unknown dashboard', 'GET /dashboards lists the dashboards.');
    }
    return reply.type('application/json').send(await readFile(dashboard.file, 'utf8'));
  });

  const page = {
    config: read,
    schema: {
      tags,
      summary: 'Open the web page',
      response: {
        200: content('The page', 'text/html', text),
        503: problem('The page is not built'),
      },
    },
  };
  if (!existsSync(join(webRoot, 'index.html'))) {
    app.get('/', page, async (_request, reply) =>
      sendProblem(reply, 503, 'The web page is not built', 'Run `pnpm build`; the API works without it.'),
    );
    return;
  }
  await app.register(fastifyStatic, { root: webRoot, serve: false, index: false });
  const fresh = { maxAge: 0, immutable: false } as const;
  app.get('/', page, (_request, reply) => reply.sendFile('index.html', fresh));
  const start = {
    config: read,
    schema: { tags, summary: 'Redirect to the web page', response: { 302: empty('To `/`') } },
  };
  app.get('/ui', start, (_request, reply) => reply.redirect('/', 302));
  app.get('/ui/*', { config: read }, (_request, reply) => reply.sendFile('index.html', fresh));
  // Names under /assets carry a hash of their content.
  app.get('/assets/*', { config: read }, (request, reply) =>
    reply.sendFile(`assets/${(request.params as { '*': string })['*']}`, {
      maxAge: 31_536_000_000,
      immutable: true,
    }),
  );
  const icon = {
    config: read,
    schema: {
      tags,
      summary: 'Get the icon of the web page',
      response: { 200: { description: 'The icon', content: { 'image/*': { schema: {} } } } },
    },
  };
  for (const name of ['favicon.svg', 'favicon.ico'])
    if (existsSync(join(webRoot, name))) app.get(`/${name}`, icon, (_request, reply) => reply.sendFile(name));
}
