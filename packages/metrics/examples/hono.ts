import { serve } from '@hono/node-server';
import { createMetrics } from '@weir/metrics';
import { honoMetrics } from '@weir/metrics/hono';
import { Hono } from 'hono';

const metrics = createMetrics({ service: 'shop' });
const app = new Hono();
app.use(honoMetrics({ metrics })); // first
app.get('/metrics', async (context) => {
  const { contentType, body } = await metrics.scrape(context.req.header('accept'));
  return context.body(body, 200, { 'content-type': contentType });
});
app.get('/products/:id', (context) => context.json({ name: 'weir' }));

const server = serve({ fetch: app.fetch, port: 0 }, async ({ port }) => {
  for (const id of [1, 2, 3]) await fetch(`http://127.0.0.1:${port}/products/${id}`);
  const scrape = await fetch(`http://127.0.0.1:${port}/metrics`).then((response) => response.text());
  console.log(
    scrape
      .split('\n')
      .find((line) => line.includes('_count{http_request_method="GET",http_route="/products/')),
  );
  server.close();
  await metrics.close();
});
