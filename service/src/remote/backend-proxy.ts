import type { FastifyReply, FastifyRequest } from 'fastify';
import type { EndpointConfig } from '../config/config.ts';
import { messageOf } from '../errors.ts';
import type { GuardedClient } from '../network/guarded-client.ts';
import type { BackendRequest } from './backend-request.ts';

const timeoutMs = 120_000;
const passedBack = ['content-type', 'content-encoding', 'cache-control'] as const;

/** Sends a request to the configured server and its answer back, body by stream. It has two minutes, body included. */
export async function proxyToBackend(
  backend: EndpointConfig,
  { method, url, body }: BackendRequest,
  client: GuardedClient,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  const encoding = request.headers['accept-encoding'];
  try {
    const answer = await client.request(url, {
      method,
      headers: {
        accept: 'application/json',
        ...(encoding === undefined ? {} : { 'accept-encoding': encoding }),
        ...(body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
        ...backend.headers,
      },
      ...(body === undefined ? {} : { body }),
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
