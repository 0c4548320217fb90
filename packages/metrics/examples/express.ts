import { createMetrics } from '@weir/metrics';
import { expressMetrics } from '@weir/metrics/express';
import express from 'express';

const metrics = createMetrics({ service: 'shop' });
const app = express();
app.use(expressMetrics({ metrics })); // first
app.get('/metrics', metrics.handler());

const tenants = express.Router();
tenants.get('/orders/:id', (_request, response) => {
  response.json({ name: 'weir' });
});
app.use('/tenants/:tenant', tenants);

const server = app.listen(0, async () => {
  const { port } = server.address() as { port: number };
  for (const id of [1, 2, 3]) await fetch(`http://127.0.0.1:${port}/tenants/42/orders/${id}`);
  const scrape = await fetch(`http://127.0.0.1:${port}/metrics`).then((response) => response.text());
  console.log(
    scrape
      .split('\n')
      .find((line) => line.includes('_count{http_request_method="GET",http_route="/tenants/')),
  );
  server.close();
  await metrics.close();
});
