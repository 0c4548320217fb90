import type { FastifyReply, FastifyRequest } from 'fastify';
import type { EndpointConfig } from '../config/config.ts';
import { messageOf } from '../errors.ts';
import type { GuardedClient } from '../network/guarded-request.ts';

const timeoutMs = 120_000;
const passedBack = ['content-type', 'content-encoding', 'cache-control'] as const;

/** Hands a request of the Prometheus API on to the configured server and its answer back, body by stream. */
export async function proxyToBackend(
  backend: EndpointConfig,
  client: GuardedClient,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { url, headers } = backend;
  const target = new URL(url.pathname.replace(/\/$/, '') + request.url, url);
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  const { body } = request;
  try {
    const answer = await client.request(target, {
      method: request.method,
      headers: {
        accept: 'application/json',
        ...(request.headers['accept-encoding'] === undefined
          ? {}
          : { 'accept-encoding': request.headers['accept-encoding'] }),
        ...(body instanceof URLSearchParams ? { 'content-type': 'application/x-www-form-urlencoded' } : {}),
        ...headers,
      },
      ...(body instanceof URLSearchParams ? { body: body.toString() } : {}),
      signal: AbortSignal.any([gone.signal, AbortSignal.timeout(timeoutMs)]),
    });
    for (const name of passedBack) {
      const value = answer.headers[name];
      if (value !== undefined) reply.header(name, value);
    }
    return reply.code(answer.statusCode ?? 502).send(answer);
  } catch (thrown) {
    const error = `the backend did not answer: ${messageOf(thrown)}`;
    return reply
      .code(502)
      .type('application/json')
      .send(JSON.stringify({ status: 'error', errorType: 'unavailable', error }));
  }
}
