/**
 * A server of known capacity: 10 workers of about 20 ms each behind it, first come, first served. `guard` chooses what
 * protects it: nothing, @fastify/under-pressure or a concurrency limiter.
 */
import { fastifyOverload } from '@weir/ratelimit/fastify';
import { createConcurrencyLimiter, gradient2Limit, vegasLimit } from '@weir/ratelimit/overload';
import fastify from 'fastify';

const guard = process.argv[2] as string;
const workers = 10;
let serviceMs = 20;
let busy = 0;
const backlog: (() => void)[] = [];

const app = fastify();
if (guard === 'under-pressure') {
  const { default: underPressure } = await import(process.argv[3] as string);
  await app.register(underPressure, { maxEventLoopDelay: 200, maxEventLoopUtilization: 0.98 });
}
if (guard === 'vegas' || guard === 'gradient2') {
  const limiter = createConcurrencyLimiter({ limit: guard === 'vegas' ? vegasLimit() : gradient2Limit() });
  await app.register(fastifyOverload, {
    limiter,
    tier: (request) => (request.headers['x-tier'] === 'critical' ? 'critical' : 'normal'),
  });
}
app.post('/slow/:ms', (request) => {
  serviceMs = Number((request.params as { ms: string }).ms);
  return 'ok';
});
app.get('/', async () => {
  if (busy >= workers) await new Promise<void>((resolve) => backlog.push(resolve));
  else busy++;
  await new Promise((resolve) => setTimeout(resolve, serviceMs * (0.5 + Math.random())));
  const next = backlog.shift();
  if (next === undefined) busy--;
  else next();
  return 'done';
});
await app.listen({ port: 0, host: '127.0.0.1' });
process.send?.((app.server.address() as { port: number }).port);
