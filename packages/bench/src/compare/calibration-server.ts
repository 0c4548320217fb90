/** The server that `weir-bench calibrate` loads: node:http with the work of a small handler. */
import { createServer } from 'node:http';

createServer((_request, response) => {
  const body = JSON.stringify({ items: Array.from({ length: 20 }, (_, id) => ({ id, name: `item ${id}` })) });
  response.setHeader('content-type', 'application/json');
  response.end(body);
}).listen(Number(process.env.PORT), '127.0.0.1');
