import { createCache } from '@weir/cache';
import { fastifyResponseCache } from '@weir/cache/fastify';
import fastify from 'fastify';

const cache = createCache({ name: 'pages' });
const app = fastify();
await app.register(fastifyResponseCache, { cache });
app.get('/page', async (_request, reply) => {
  reply.header('cache-control', 's-maxage=60');
  return 'a page that took long to make';
});

for (let request = 0; request < 2; request += 1) {
  const { headers } = await app.inject('/page');
  console.log(headers['cache-status']);
}
await app.close();
await cache.close();
