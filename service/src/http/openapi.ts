import { version } from '../version.ts';
import { operations } from './operations.ts';

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
