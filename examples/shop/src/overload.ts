import { createConcurrencyLimiter, createLoadShedder, httpOverload } from '@weir/ratelimit/overload';
import type { FastifyInstance } from 'fastify';

/** Never refused: whoever looks at an overloaded shop needs these. */
const probes = new Set(['/metrics', '/healthz']);

/** More requests at once than this finish no sooner: they would only wait for the pool and for each other. */
const requestsAtOnce = 128;

/** Answers 503 while the event loop is late or too much runs at once: first to what nobody waits for. */
export function guardOverload(app: FastifyInstance): void {
  const shedder = createLoadShedder({ name: 'event-loop' });
  const admits = httpOverload({
    shedder,
    limiter: createConcurrencyLimiter({ name: 'requests', limit: requestsAtOnce }),
    tier: (request) => (request.url?.startsWith('/flaws/') ? 'background' : 'normal'),
  });
  app.addHook('onRequest', async (request, reply) => {
    if (probes.has(request.url) || (await admits(request.raw, reply.raw))) return;
    reply.hijack();
  });
  app.addHook('onClose', async () => shedder.close());
}
