import type { Health } from '@weir/metrics';
import type { FastifyInstance } from 'fastify';
import { sendProblem } from '../problem.ts';

/** `GET /healthz`: 200 when the database answers, else 503. */
export function healthRoutes(app: FastifyInstance, { health }: { health: Health }): void {
  const schema = {
    response: { 200: { type: 'object', required: ['status'], properties: { status: { const: 'ok' } } } },
  };
  app.get('/healthz', { schema }, async (request, reply) => {
    const { ready, checks } = await health.check();
    if (ready) return { status: 'ok' };
    for (const { name, ok, error } of checks)
      if (!ok) request.log.warn({ err: error }, `${name} does not answer`);
    return sendProblem(reply, 503, 'The database does not answer.');
  });
}
