import type { FastifyInstance } from 'fastify';
import type { Pool } from 'pg';
import { sendProblem } from '../problem.ts';

/** `GET /healthz`: 200 when the database answers, else 503. */
export function healthRoutes(app: FastifyInstance, { pool }: { pool: Pool }): void {
  const schema = {
    response: { 200: { type: 'object', required: ['status'], properties: { status: { const: 'ok' } } } },
  };
  app.get('/healthz', { schema }, async (request, reply) => {
    try {
      await pool.query('select 1');
      return { status: 'ok' };
    } catch (error) {
      request.log.warn({ err: error }, 'database does not answer');
      return sendProblem(reply, 503, 'The database does not answer.');
    }
  });
}
