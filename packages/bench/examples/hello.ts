// Loads a server in this process, to show the library; a real target runs in its own process.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { defineBench, runBenchmark } from '@weir/bench';

const server = createServer((_request, response) => response.end('hello'));
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

const scenario = defineBench({
  name: 'hello',
  target: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  requests: [{ path: '/' }],
  connections: 4,
  warmupMs: 200,
  durationMs: 1_000,
});
const { requests, latencyMs } = await runBenchmark(scenario);
console.log(`${requests.perSecond} answers/s, p99 ${latencyMs.p99} ms, ${requests.errors} without answer`);
server.close();
