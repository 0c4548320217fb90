import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { freePort } from './free-port.ts';
import { serverExecutable } from './install-servers.ts';
import { startRedisProcess } from './redis.ts';
import { type ServerProcess, startServerProcess } from './server-process.ts';

const sentinelCount = 3;
const downAfterMs = 500;

export interface RedisSentinel {
  /** Name of the monitored master, for ioredis' `name`. */
  readonly name: string;
  readonly sentinels: { readonly host: string; readonly port: number }[];
  /** Where the sentinels say the master is now. */
  master(): Promise<{ readonly host: string; readonly port: number }>;
  /** SIGKILL of the present master; resolves when the sentinels have made the replica master and it takes writes. */
  failover(): Promise<void>;
  stop(): Promise<void>;
}

/** One master, one replica and three sentinels with a quorum of two, ready for a failover. */
export async function startRedisSentinel(): Promise<RedisSentinel> {
  const name = 'weir';
  const directory = mkdtempSync(join(tmpdir(), 'weir-redis-sentinel-'));
  const servers: ServerProcess[] = [];
  const stop = async () => {
    await Promise.all(servers.map((server) => server.kill()));
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    const nodes = new Map<number, ServerProcess>();
    const start = async (args: string[]) => {
      const { port, server } = await startRedisProcess(['--dir', directory, ...args]);
      servers.push(server);
      nodes.set(port, server);
      return port;
    };
    const first = await start([]);
    await start(['--replicaof', '127.0.0.1', String(first), '--repl-diskless-sync-delay', '0']);
    const ports: number[] = [];
    for (let index = 0; index < sentinelCount; index += 1) {
      const port = await freePort();
      const file = join(directory, `sentinel-${port}.conf`);
      writeFileSync(file, sentinelConfiguration(name, port, first, directory));
      servers.push(await startSentinel(file, port, name));
      ports.push(port);
    }
    await whenAsked(ports, ['SENTINEL', 'MASTER', name], (facts) => {
      return factOf(facts, 'num-slaves') === '1' && factOf(facts, 'num-other-sentinels') === '2';
    });
    const master = async () => {
      const [port] = ports as [number];
      const [host, at] = (await ask(port, ['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name])) as [string, string];
      return { host, port: Number(at) };
    };
    return {
      name,
      sentinels: ports.map((port) => ({ host: '127.0.0.1', port })),
      master,
      async failover() {
        const { port: old } = await master();
        await nodes.get(old)?.kill();
        while ((await master()).port === old) await delay(20);
        const { port } = await master();
        await whenAsked([port], ['ROLE'], (role) => Array.isArray(role) && role[0] === 'master');
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function sentinelConfiguration(name: string, port: number, master: number, directory: string): string {
  return [
    'bind 127.0.0.1',
    `port ${port}`,
    `dir ${directory}`,
    `sentinel monitor ${name} 127.0.0.1 ${master} 2`,
    `sentinel down-after-milliseconds ${name} ${downAfterMs}`,
    `sentinel failover-timeout ${name} 3000`,
    '',
  ].join('\n');
}

function startSentinel(file: string, port: number, name: string): Promise<ServerProcess> {
  return startServerProcess({
    name: 'redis-server --sentinel',
    command: serverExecutable('redis'),
    args: [file, '--sentinel'],
    cwd: '/',
    isReady: async () => Array.isArray(await ask(port, ['SENTINEL', 'MASTER', name])),
  });
}

async function whenAsked(
  ports: readonly number[],
  command: readonly string[],
  isRight: (reply: unknown) => boolean,
): Promise<void> {
  for (const port of ports) {
    while (!isRight(await ask(port, command).catch(() => undefined))) await delay(20);
  }
}

async function ask(port: number, [command, ...args]: readonly string[]): Promise<unknown> {
  const client = new Redis({
    host: '127.0.0.1',
    port,
    lazyConnect: true,
    protocol: 2,
    retryStrategy: () => null,
  });
  client.on('error', () => {});
  try {
    await client.connect();
    return await client.call(command as string, ...args);
  } finally {
    client.disconnect();
  }
}

/** A field of Redis' flat list of names and values. */
function factOf(reply: unknown, name: string): unknown {
  return Array.isArray(reply) ? reply[reply.indexOf(name) + 1] : undefined;
}
