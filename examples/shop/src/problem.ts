import { STATUS_CODES } from 'node:http';
import type { FastifyError, FastifyInstance, FastifyReply } from 'fastify';

/** Answers with `application/problem+json` (RFC 9457). `type` stays `about:blank`: the status says what kind it is. */
export function sendProblem(reply: FastifyReply, status: number, detail: string): FastifyReply {
  return reply
    .code(status)
    .header('content-type', 'application/problem+json')
    .serializer((value: unknown) => JSON.stringify(value))
    .send({ type: 'about:blank', title: STATUS_CODES[status] ?? 'Error', status, detail });
}

/** Makes every failure of `app` a problem: unknown routes, input that a schema refuses, and errors, whose text stays in the log. */
export function useProblems(app: FastifyInstance): void {
  app.setNotFoundHandler((request, reply) =>
    sendProblem(reply, 404, `No route ${request.method} ${request.url.split('?')[0]}. GET / lists them.`),
  );
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status < 500) return sendProblem(reply, status, error.message);
    request.log.error({ err: error, route: request.routeOptions.url }, 'request failed');
    return sendProblem(reply, status, 'The request failed on our side. Try again later.');
  });
}
