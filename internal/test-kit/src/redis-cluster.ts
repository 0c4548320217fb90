import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { freePort, isPortFree } from './free-port.ts';
import { startRedisProcess } from './redis.ts';
import type { ServerProcess } from './server-process.ts';

const slotCount = 16_384;

export interface RedisCluster {
  /** Masters, each with an equal share of the slots; no replicas. */
  readonly nodes: { readonly host: string; readonly port: number; readonly pid: number }[];
  stop(): Promise<void>;
}

/** A real cluster of `nodes` masters (default 3, the least that Redis supports), ready for commands on every slot. */
export async function startRedisCluster(nodes = 3): Promise<RedisCluster> {
  const directory = mkdtempSync(join(tmpdir(), 'weir-redis-cluster-'));
  const servers: ServerProcess[] = [];
  const stop = async () => {
    await Promise.all(servers.map((server) => server.kill()));
    rmSync(directory, { recursive: true, force: true });
  };
  const ports: number[] = [];
  try {
    for (let index = 0; index < nodes; index += 1) {
      const port = await freeClusterPort();
      const { server } = await startRedisProcess(
        [
          ...['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000'],
          ...['--cluster-config-file', join(directory, `${port}.conf`)],
        ],
        port,
      );
      servers.push(server);
      ports.push(port);
    }
    await joinNodes(ports);
    return {
      nodes: ports.map((port, index) => ({ host: '127.0.0.1', port, pid: servers[index]?.pid ?? -1 })),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function joinNodes(ports: readonly number[]): Promise<void> {
  const clients = ports.map((port) => new Redis({ host: '127.0.0.1', port, enableReadyCheck: false }));
  for (const client of clients) client.on('error', () => {});
  try {
    const share = Math.ceil(slotCount / clients.length);
    for (const [index, client] of clients.entries()) {
      const first = index * share;
      const slots = Array.from({ length: Math.min(share, slotCount - first) }, (_, offset) => first + offset);
      await client.call('CLUSTER', 'ADDSLOTS', ...slots.map(String));
      // Redis refuses equal epochs slowly; a distinct one each settles the cluster at once.
      await client.call('CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1));
    }
    const [first, ...others] = clients;
    for (const port of ports.slice(1)) await first?.call('CLUSTER', 'MEET', '127.0.0.1', String(port));
    for (const client of [first, ...others]) {
      while (client !== undefined && !(await seesWholeCluster(client, ports.length))) await delay(20);
    }
  } finally {
    for (const client of clients) client.disconnect();
  }
}

async function seesWholeCluster(client: Redis, nodes: number): Promise<boolean> {
  const info = String(await client.call('CLUSTER', 'INFO'));
  return (
    info.includes('cluster_state:ok') &&
    info.includes(`cluster_known_nodes:${nodes}`) &&
    info.includes(`cluster_size:${nodes}`)
  );
}

/** A cluster node also listens on its port + 10,000. */
async function freeClusterPort(): Promise<number> {
  while (true) {
    const port = await freePort();
    if (port + 10_000 <= 65_535 && (await isPortFree(port + 10_000))) return port;
  }
}
