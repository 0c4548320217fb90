import { createMetrics } from '@weir/metrics';
import { fastifyMetrics } from '@weir/metrics/fastify';
import Fastify from 'fastify';

const metrics = createMetrics({ service: 'shop' });
const app = Fastify();
await app.register(fastifyMetrics, { metrics }); // before the routes; serves /metrics
app.get('/products/:id', async () => ({ name: 'weir' }));

const origin = await app.listen({ port: 0 });
for (const id of [1, 2, 3]) await fetch(`${origin}/products/${id}`);

const scrape = await fetch(`${origin}/metrics`).then((response) => response.text());
console.log(
  scrape
    .split('\n')
    .find((line) => line.includes('_count{http_request_method="GET",http_route="/products/:id"')),
);
await app.close();
await metrics.close();
