import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createWorkload } from './workload.ts';

export interface Fleet {
  /** `host:port` of each target. */
  readonly addresses: readonly string[];
  readonly series: number;
  close(): void;
}

/** Targets that answer with some thousand changing series each. Bodies are made ahead, so that serving costs little. */
export async function startFleet(targets: number, instancesEach: number, versions: number): Promise<Fleet> {
  const servers: Server[] = [];
  let series = 0;
  for (let target = 0; target < targets; target++) {
    const bodies = expositions(instancesEach, versions, target);
    series += createWorkload(instancesEach).series.length * instancesEach;
    let next = 0;
    const server = createServer((_request, response) => {
      response.setHeader('content-type', 'text/plain; version=0.0.4');
      response.end(bodies[Math.min(next++, bodies.length - 1)]);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    servers.push(server);
  }
  return {
    addresses: servers.map((server) => `127.0.0.1:${(server.address() as AddressInfo).port}`),
    series,
    close: () => {
      for (const server of servers) {
        server.closeAllConnections();
        server.close();
      }
    },
  };
}

function expositions(instances: number, versions: number, seed: number): Buffer[] {
  const workload = createWorkload(instances, seed + 1);
  const width = workload.series.length;
  const names: string[] = [];
  for (let instance = 0; instance < instances; instance++)
    for (const text of workload.series) {
      const open = text.indexOf('{');
      const inside = text.slice(open + 1, -1);
      names.push(`${text.slice(0, open)}{${inside}${inside === '' ? '' : ','}pod="pod-${instance}"}`);
    }
  const bodies: Buffer[] = [];
  for (let version = 0; version < versions; version++) {
    const values = workload.advance(15);
    const lines = new Array<string>(width * instances);
    for (let i = 0; i < lines.length; i++) lines[i] = `${names[i]} ${values[i]}`;
    bodies.push(Buffer.from(`${lines.join('\n')}\n`));
  }
  return bodies;
}
