import { fastifyOverload } from '@weir/ratelimit/fastify';
import { createConcurrencyLimiter, createLoadShedder } from '@weir/ratelimit/overload';
import type { FastifyInstance } from 'fastify';

/** More requests at once than this finish no sooner: they would only wait for the pool and for each other. */
const requestsAtOnce = 128;

/** Answers 503 while the event loop is late or too much runs at once: first to what nobody waits for. */
export async function guardOverload(app: FastifyInstance): Promise<void> {
  const shedder = createLoadShedder({ name: 'event-loop' });
  app.addHook('onClose', async () => shedder.close());
  await app.register(fastifyOverload, {
    // Whoever looks at an overloaded shop needs these.
    exempt: ['/metrics', '/healthz'],
    shedder,
    limiter: createConcurrencyLimiter({ name: 'requests', limit: requestsAtOnce }),
    tier: (request) => (request.url.startsWith('/flaws/') ? 'background' : 'normal'),
  });
}
