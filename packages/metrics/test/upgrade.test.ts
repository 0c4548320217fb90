import { once } from 'node:events';
import { type IncomingMessage, type RequestListener, ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { expressMetrics } from '@weir/metrics/express';
import { fastifyMetrics } from '@weir/metrics/fastify';
import { withHttpMetrics } from '@weir/metrics/http';
import { koaMetrics } from '@weir/metrics/koa';
import { createManualClock } from '@weir/test-kit';
import express from 'express';
import Fastify from 'fastify';
import Koa from 'koa';
import { expect, test } from 'vitest';
import { createMetrics, type Metrics } from '../src/index.ts';
import { listen } from './otlp-receiver.ts';
import { samplesOf } from './samples.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const frameworks: Readonly<Record<string, (metrics: Metrics, answer: Answer) => Promise<RequestListener>>> = {
  'node:http': async (metrics, answer) => withHttpMetrics({ metrics, route: () => '/rooms/:room' }, answer),
  express: async (metrics, answer) => {
    const app = express().use(expressMetrics({ metrics }));
    return app.get('/rooms/:room', (request, response) => answer(request, response));
  },
  koa: async (metrics, answer) => {
    const app = new Koa().use(koaMetrics({ metrics, route: () => '/rooms/:room' }));
    app.use((context) => {
      context.respond = false;
      answer(context.req, context.res);
    });
    return app.callback();
  },
  fastify: async (metrics, answer) => {
    const app = Fastify();
    await app.register(fastifyMetrics, { metrics });
    app.get('/rooms/:room', (request, reply) => {
      reply.hijack();
      answer(request.raw, reply.raw);
    });
    await app.ready();
    return (request, response) => app.routing(request, response);
  },
};

const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n';
const REFUSED = 'HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n';

/** Possible answers of a handler, and the status that each counts as. */
const answers: Readonly<Record<string, { answer: Answer; status: number }>> = {
  'accepts on the socket': { answer: ({ socket }) => socket.write(SWITCH), status: 101 },
  'accepts with bytes': { answer: ({ socket }) => socket.write(Buffer.from(SWITCH)), status: 101 },
  'refuses on the socket': { answer: ({ socket }) => socket.end(REFUSED), status: 403 },
  'refuses by the response': {
    answer: (_request, response) => response.writeHead(426, { connection: 'close' }).end('no'),
    status: 426,
  },
  'never answers': { answer: ({ socket }) => socket.emit('asked'), status: 499 },
};

const matrix = Object.keys(frameworks).flatMap((framework) =>
  Object.keys(answers).map((answer): [string, string] => [framework, answer]),
);

test.each(matrix)(
  'with %s an upgrade whose handler %s counts once, by its answer and for its handshake alone',
  async (framework, name) => {
    const clock = createManualClock();
    const metrics = createMetrics({ service: 'test', runtime: false, clock });
    metrics.slo({ name: 'all', objective: 0.99, thresholdMs: 100 });
    const { answer, status } = answers[name] as { answer: Answer; status: number };
    const listener = await (frameworks[framework] as NonNullable<(typeof frameworks)[string]>)(
      metrics,
      answer,
    );
    const { server, url, stop } = await listen(() => {});
    let asked: Promise<unknown> = Promise.resolve();
    server.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
      asked = once(socket, 'asked');
      socket.resume().on('end', () => socket.destroy());
      const response = new ServerResponse(request);
      response.assignSocket(socket as Socket);
      clock.advance(20);
      listener(request, response);
    });
    const client = connect(Number(new URL(url).port), '127.0.0.1');
    const upgraded = once(server, 'upgrade');
    client.write('GET /rooms/blue HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
    await upgraded;
    if (status === 499) await asked;
    else expect(String(await once(client, 'data'))).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    const active = async (): Promise<number | undefined> =>
      (await samplesOf(metrics)).get('http_server_active_requests{http_request_method="GET"}');
    await expect.poll(active).toBe(status === 499 ? 1 : 0);
    clock.advance(3_600_000);
    client.end();
    client.destroy();
    await expect.poll(active).toBe(0);
    await stop();
    const samples = await samplesOf(metrics);
    const labels = `{http_request_method="GET",http_route="/rooms/:room",http_response_status_code="${status}"}`;
    const counts = [...samples].filter(([series]) =>
      series.startsWith('http_server_request_duration_seconds_count'),
    );
    expect(counts).toEqual([[`http_server_request_duration_seconds_count${labels}`, 1]]);
    if (status !== 499) {
      expect(samples.get(`http_server_request_duration_seconds_sum${labels}`)).toBe(0);
      expect(samples.get('weir_slo_good_events_total{slo="all"}')).toBe(1);
    }
    await metrics.close();
  },
);
