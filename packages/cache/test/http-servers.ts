import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import express from 'express';
import fastify from 'fastify';
import { expressResponseCache } from '../src/express.ts';
import { fastifyResponseCache, type ResponseCacheOptions } from '../src/fastify.ts';

/** What the handler answers next, and what it was asked. */
export interface Script {
  calls: number;
  status: number;
  headers: Record<string, string>;
  body: string;
  /** Sent one by one instead of the body, each when its promise has resolved. */
  chunks: Promise<string>[] | undefined;
  delayMs: number;
  /** Answers wait for it too. */
  gate: Promise<void> | undefined;
  /** Answers 304 when the request's If-None-Match is the ETag it would send. */
  validates: boolean;
  seen: Record<string, unknown>;
}

export interface Served {
  readonly origin: string;
  close(): Promise<void>;
}

export type Serve = (options: ResponseCacheOptions, script: Script) => Promise<Served>;

export function createScript(): Script {
  return {
    calls: 0,
    status: 200,
    headers: { 'cache-control': 'max-age=60' },
    body: 'one',
    chunks: undefined,
    delayMs: 0,
    gate: undefined,
    validates: false,
    seen: {},
  };
}

async function play(script: Script, headers: Record<string, unknown>): Promise<{ is304: boolean }> {
  script.calls += 1;
  script.seen = { ...headers };
  await new Promise((resolve) => setTimeout(resolve, script.delayMs));
  await script.gate;
  return { is304: script.validates && headers['if-none-match'] === script.headers.etag };
}

async function* streamOf(chunks: Promise<string>[]): AsyncGenerator<string> {
  for (const chunk of chunks) yield await chunk;
}

export const serveFastify: Serve = async (options, script) => {
  const app = fastify({ forceCloseConnections: true });
  await app.register(fastifyResponseCache, options);
  app.all('/*', async (request, reply) => {
    const { is304 } = await play(script, request.headers);
    reply.code(is304 ? 304 : script.status).headers(script.headers);
    if (is304) return reply.send();
    return reply.send(script.chunks === undefined ? script.body : Readable.from(streamOf(script.chunks)));
  });
  return { origin: await app.listen({ port: 0, host: '127.0.0.1' }), close: () => app.close() };
};

export const serveExpress: Serve = async (options, script) => {
  const app = express();
  app.disable('etag');
  app.use(expressResponseCache(options));
  app.use(async (request, response) => {
    const { is304 } = await play(script, request.headers);
    response.status(is304 ? 304 : script.status).set(script.headers);
    if (is304) response.end();
    else if (script.chunks === undefined) response.send(script.body);
    else Readable.from(streamOf(script.chunks)).pipe(response);
  });
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};

export interface Got {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: string;
  readonly cacheStatus: string;
}

/** A request with exactly these fields: `fetch` adds a Cache-Control of its own to conditional ones. */
export function send(
  url: string,
  init: { method?: string; headers?: Record<string, string>; onChunk?: (chunk: string) => void } = {},
): Promise<Got> {
  const { headers = {}, method = 'GET', onChunk } = init;
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method, headers, agent: false }, (incoming) => {
      let body = '';
      incoming.setEncoding('utf8');
      incoming.on('data', (chunk: string) => {
        body += chunk;
        onChunk?.(chunk);
      });
      incoming.on('error', reject);
      incoming.on('end', () => {
        const fields = incoming.headers as Record<string, string>;
        resolve({
          status: incoming.statusCode ?? 0,
          headers: fields,
          body,
          cacheStatus: fields['cache-status'] ?? '',
        });
      });
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}
