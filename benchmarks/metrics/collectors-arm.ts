/** Child process: collectors that answer at once, after two seconds, and never, and a port where nobody listens. Tells on each message how many exports began at each. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const exports: Record<string, number> = {};

function listen(name: string, answer: (response: ServerResponse) => void): Promise<string> {
  exports[name] = 0;
  const server = createServer((request, response) => {
    exports[name] = (exports[name] as number) + 1;
    request.resume();
    answer(response);
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      if (name === 'refused') server.close(() => resolve(url));
      else resolve(url);
    });
  });
}

const end = (response: ServerResponse): void => void response.end();
const urls = {
  healthy: await listen('healthy', end),
  refused: await listen('refused', end),
  silent: await listen('silent', () => {}),
  slow: await listen('slow', (response) => void setTimeout(end, 2_000, response)),
};
process.on('message', () => process.send?.(exports));
process.on('disconnect', () => process.exit());
process.send?.(urls);
