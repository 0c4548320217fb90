/** A search route limited to a burst of 3, then one request each 2 s a client. Run: node examples/fastify.ts */
import { createRateLimiter } from '@weir/ratelimit';
import { fastifyRateLimit } from '@weir/ratelimit/fastify';
import fastify from 'fastify';

const limiter = createRateLimiter({
  name: 'search',
  policies: [{ name: 'per-client', algorithm: 'gcra', limit: 5, windowMs: 10_000, burst: 3 }],
});

const app = fastify();
await app.register(fastifyRateLimit);
app.get('/search', { config: { rateLimit: { limiter, key: (request) => request.ip } } }, () => ({
  found: 1,
}));

for (let request = 1; request <= 4; request++) {
  const answer = await app.inject('/search');
  console.log(answer.statusCode, answer.headers.ratelimit);
}
await app.close();
await limiter.close();
