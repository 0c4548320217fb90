import { createLoadShedder, httpOverload } from '@weir/ratelimit/overload';
import type { FastifyInstance } from 'fastify';

/** Never refused: whoever looks at an overloaded shop needs these. */
const probes = new Set(['/metrics', '/healthz']);

/** Answers 503 to a share of requests while the event loop is late: first to what nobody waits for. */
export function shedOverload(app: FastifyInstance): void {
  const shedder = createLoadShedder();
  const admits = httpOverload({
    shedder,
    tier: (request) => (request.url?.startsWith('/flaws/') ? 'background' : 'normal'),
  });
  app.addHook('onRequest', async (request, reply) => {
    if (probes.has(request.url) || (await admits(request.raw, reply.raw))) return;
    reply.hijack();
  });
  app.addHook('onClose', async () => shedder.close());
}
