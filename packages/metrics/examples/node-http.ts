import { createServer } from 'node:http';
import { createMetrics } from '@weir/metrics';
import { setRoute, withHttpMetrics } from '@weir/metrics/http';

const metrics = createMetrics({ service: 'shop' });
const scrapeHandler = metrics.handler();
const listener = withHttpMetrics({ metrics }, (request, response) => {
  if (request.url === '/metrics') return scrapeHandler(request, response);
  setRoute(response, '/products/:id');
  response.end('{"name":"weir"}');
});

const server = createServer(listener).listen(0, async () => {
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
