/**
 * A server of known capacity: 10 workers of about 20 ms each behind it, first come, first served. `guard` chooses what
 * protects it: nothing, @fastify/under-pressure or a concurrency limiter. The parent sends `{ serviceMs }` to change the
 * service and gets the state back for every message.
 */
import { fastifyOverload } from '@weir/ratelimit/fastify';
import { aimdLimit, createConcurrencyLimiter, gradient2Limit, vegasLimit } from '@weir/ratelimit/overload';
import fastify from 'fastify';

const guard = process.argv[2] as string;
const limits = { vegas: vegasLimit, gradient2: gradient2Limit, aimd: () => aimdLimit({ latencyMs: 100 }) };
const workers = 10;
let serviceMs = 20;
let busy = 0;
const backlog: (() => void)[] = [];

const app = fastify();
if (guard === 'under-pressure') {
  const { default: underPressure } = await import(process.argv[3] as string);
  await app.register(underPressure, { maxEventLoopDelay: 200, maxEventLoopUtilization: 0.98 });
}
const limit = Object.hasOwn(limits, guard) ? limits[guard as keyof typeof limits]() : undefined;
const limiter = limit === undefined ? undefined : createConcurrencyLimiter({ limit });
if (limiter !== undefined) {
  await app.register(fastifyOverload, {
    limiter,
    tier: ({ headers }) => (headers['x-tier'] === 'critical' ? 'critical' : 'normal'),
  });
}
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
process.on('message', (message: { serviceMs?: number }) => {
  serviceMs = message.serviceMs ?? serviceMs;
  process.send?.({ waiting: busy + backlog.length, limit: limiter?.stats().limit ?? null });
});
process.on('disconnect', () => process.exit());
process.send?.((app.server.address() as { port: number }).port);
