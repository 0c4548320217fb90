import type { Role } from '../auth/roles.ts';
import { version } from '../version.ts';

interface Operation {
  readonly method: 'get' | 'post' | 'put' | 'delete';
  readonly path: string;
  readonly summary: string;
  readonly role: Role | 'public';
  /** By status; 400, 401 and 403 are added where they apply. */
  readonly answers: Readonly<Record<number, string>>;
}

const run = '/benchmarks/{name}/runs/{id}';
const pushed = { 204: 'Taken and durable', 400: 'Wrong exposition; the line and the reason' };
const removed = { 204: 'Its series have ended', 404: 'Nothing of the job is shown' };

/** The service's own routes. `/api/v1/*` is Prometheus' HTTP API and documented there. */
const operations: readonly Operation[] = [
  {
    method: 'get',
    path: '/healthz',
    summary: 'Whether the process answers',
    role: 'public',
    answers: { 200: 'It does' },
  },
  {
    method: 'get',
    path: '/readyz',
    summary: 'Whether the store is open',
    role: 'public',
    answers: { 200: 'Open', 503: 'Not yet' },
  },
  {
    method: 'get',
    path: '/metrics',
    summary: 'The service’s own metrics',
    role: 'read',
    answers: { 200: 'Text format 0.0.4' },
  },
  {
    method: 'get',
    path: '/dashboards',
    summary: 'Dashboards by uid',
    role: 'read',
    answers: { 200: 'A list' },
  },
  {
    method: 'get',
    path: '/dashboards/{uid}',
    summary: 'A dashboard as Grafana imports it',
    role: 'read',
    answers: { 200: 'Grafana JSON', 404: 'Unknown' },
  },
  {
    method: 'get',
    path: '/page-settings',
    summary: 'What the configuration tells the web page',
    role: 'read',
    answers: { 200: '`{ traceUrl }`, null where none is configured' },
  },
  {
    method: 'get',
    path: '/sd/targets',
    summary: 'The scraped targets for Prometheus’ http_sd',
    role: 'read',
    answers: { 200: 'A list' },
  },
  {
    method: 'get',
    path: '/benchmarks',
    summary: 'Benchmarks with their last run',
    role: 'read',
    answers: { 200: 'A list' },
  },
  {
    method: 'delete',
    path: '/benchmarks/runs',
    summary: 'End every run',
    role: 'bench',
    answers: { 200: 'How many were ended' },
  },
  {
    method: 'get',
    path: '/benchmarks/{name}/runs',
    summary: 'Runs, newest first',
    role: 'read',
    answers: { 200: 'A list', 404: 'Unknown' },
  },
  {
    method: 'post',
    path: '/benchmarks/{name}/runs',
    summary: 'Start or queue a run',
    role: 'bench',
    answers: { 202: 'The run', 404: 'Unknown', 409: 'One is under way' },
  },
  { method: 'get', path: run, summary: 'A run', role: 'read', answers: { 200: 'The run', 404: 'Unknown' } },
  {
    method: 'delete',
    path: run,
    summary: 'Cancel a run',
    role: 'bench',
    answers: { 202: 'The run', 404: 'Unknown', 409: 'It is over' },
  },
  {
    method: 'get',
    path: `${run}/events`,
    summary: 'Progress as server-sent events, then one `end`',
    role: 'read',
    answers: { 200: 'text/event-stream', 404: 'Unknown' },
  },
  {
    method: 'get',
    path: `${run}/report`,
    summary: 'A run’s report',
    role: 'read',
    answers: { 200: 'HTML', 404: 'No result' },
  },
  {
    method: 'get',
    path: '/benchmarks/{name}/comparison',
    summary: 'Two runs (`base`, `head`) side by side',
    role: 'read',
    answers: { 200: 'Figures with verdicts', 404: 'No results' },
  },
  {
    method: 'get',
    path: '/benchmarks/{name}/changes',
    summary: 'Change points of the history',
    role: 'read',
    answers: { 200: 'A list' },
  },
  {
    method: 'post',
    path: '/v1/metrics',
    summary: 'OTLP/HTTP metrics, protobuf or JSON',
    role: 'push',
    answers: { 200: 'ExportMetricsServiceResponse', 400: 'No export request', 415: 'Another encoding' },
  },
  {
    method: 'post',
    path: '/push/{job}',
    summary: 'What a short-lived job has to show',
    role: 'push',
    answers: pushed,
  },
  { method: 'put', path: '/push/{job}', summary: 'The same', role: 'push', answers: pushed },
  { method: 'delete', path: '/push/{job}', summary: 'Take a job back', role: 'push', answers: removed },
  {
    method: 'post',
    path: '/push/{job}/{instance}',
    summary: 'What an instance of a job has to show',
    role: 'push',
    answers: pushed,
  },
  { method: 'put', path: '/push/{job}/{instance}', summary: 'The same', role: 'push', answers: pushed },
  {
    method: 'delete',
    path: '/push/{job}/{instance}',
    summary: 'Take an instance back',
    role: 'push',
    answers: removed,
  },
];

/** The routes as OpenAPI 3.1. Errors are problem details (RFC 9457). */
export function openApiDocument(): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const { method, path, summary, role, answers } of operations) {
    const all: Record<number, string> = {
      ...answers,
      ...(role === 'public'
        ? {}
        : { 401: 'No token, or a wrong one', 403: `The token lacks the role ${role}` }),
    };
    const responses = Object.fromEntries(
      Object.entries(all).map(([status, description]) => [
        status,
        Number(status) < 400
          ? { description }
          : {
              description,
              content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
            },
      ]),
    );
    const parameters = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
      name,
      in: 'path',
      required: true,
      schema: { type: 'string' },
    }));
    paths[path] = {
      ...paths[path],
      [method]: {
        summary,
        parameters,
        responses,
        ...(role === 'public' ? {} : { security: [{ token: [role] }] }),
      },
    };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Weir service', version, description: '`/api/v1/*` is the HTTP API of Prometheus 3.' },
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer', description: 'Made with `weir token`.' } },
      schemas: {
        Problem: {
          type: 'object',
          required: ['title', 'status'],
          properties: {
            type: { type: 'string' },
            title: { type: 'string' },
            status: { type: 'integer' },
            detail: { type: 'string' },
          },
        },
      },
    },
  };
}

/** The same as a page that needs no script. */
export function openApiPage(): string {
  const rows = operations.map(({ method, path, summary, role, answers }) => {
    const list = Object.entries(answers).map(
      ([status, text]) => `<li><b>${status}</b> ${escapeHtml(text)}</li>`,
    );
    return `<section><h2><code>${method.toUpperCase()} ${escapeHtml(path)}</code></h2><p>${escapeHtml(summary)}. Role: ${role}.</p><ul>${list.join('')}</ul></section>`;
  });
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Weir API</title><style>:root{color-scheme:light dark}body{font:1rem/1.5 system-ui;max-width:50rem;margin:2rem auto;padding:0 1rem}h2{font-size:1rem;margin-bottom:0}section{border-top:1px solid color-mix(in srgb,currentColor 20%,transparent)}</style></head><body><h1>Weir API</h1><p>As <a href="/openapi.json">OpenAPI 3.1</a>. <code>/api/v1/*</code> is the HTTP API of Prometheus 3.</p>${rows.join('')}</body></html>`;
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
