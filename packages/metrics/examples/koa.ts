import Router from '@koa/router';
import { createMetrics } from '@weir/metrics';
import { koaMetrics } from '@weir/metrics/koa';
import Koa from 'koa';

const metrics = createMetrics({ service: 'shop' });
const app = new Koa();
app.use(koaMetrics({ metrics })); // first

const router = new Router({ prefix: '/products' });
router.get('/:id', (context) => {
  context.body = { name: 'weir' };
});
app.use(router.routes());
app.use(async (context, next) => {
  if (context.path !== '/metrics') return next();
  const { contentType, body } = await metrics.scrape(context.get('accept'));
  context.type = contentType;
  context.body = body;
});

const server = app.listen(0, async () => {
  const { port } = server.address() as { port: number };
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
