import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { type RedisServer, startRedis } from '@weir/test-kit';
import { Redis } from 'ioredis';
import type { FaultJob, PhaseReport } from './fault-worker.ts';
import { redisSubjects } from './subjects.ts';

const loadMs = 5;
const deadlineMs = 100;
const calmMs = 1_500;
const faultMs = 4_000;

interface Fault {
  readonly name: string;
  begin(server: RedisServer, proxy: Proxy): Promise<unknown> | unknown;
  end(server: RedisServer, proxy: Proxy): Promise<unknown> | unknown;
}

const faults: readonly Fault[] = [
  { name: 'SIGSTOP', begin: (server) => server.pause(), end: (server) => server.resume() },
  {
    name: 'SIGKILL, then refused',
    begin: (server) => server.kill(),
    end: async (server) => {
      const again = await startRedis({ port: server.port });
      server.stop = () => again.stop();
    },
  },
  {
    name: 'dropping proxy',
    begin: (_server, proxy) => proxy.drop(true),
    end: (_server, proxy) => proxy.drop(false),
  },
  {
    name: 'SCRIPT FLUSH',
    begin: async (server) => {
      const redis = new Redis(server.url);
      await redis.script('FLUSH');
      redis.disconnect();
    },
    end: () => {},
  },
];

interface Proxy {
  readonly url: string;
  /** While dropping, every connection is cut within 50 ms of its opening. */
  drop(on: boolean): void;
  close(): void;
}

async function startProxy(port: number): Promise<Proxy> {
  const sockets = new Set<Socket>();
  let timer: NodeJS.Timeout | undefined;
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `redis://127.0.0.1:${(server.address() as { port: number }).port}`,
    drop(on) {
      clearInterval(timer);
      if (on) timer = setInterval(cut, 50);
    },
    close() {
      clearInterval(timer);
      cut();
      server.close();
    },
  };
}

async function suffer(
  subject: string,
  fault: Fault,
): Promise<{ during: PhaseReport; after: PhaseReport; heapGrowthMb: number }> {
  const server = await startRedis();
  const proxy = await startProxy(server.port);
  const execArgv = ['--conditions=@weir/source', '--expose-gc'];
  const child = fork(join(import.meta.dirname, 'fault-worker.ts'), {
    execArgv,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const phase = async (durationMs: number): Promise<PhaseReport> => {
    child.send(durationMs);
    const [report] = (await Promise.race([
      once(child, 'message'),
      once(child, 'exit').then(() => [crashed]),
    ])) as [PhaseReport];
    return report;
  };
  try {
    const job: FaultJob = { subject, redisUrl: proxy.url, loadMs };
    child.send(job);
    await once(child, 'message');
    const before = await phase(calmMs);
    await fault.begin(server, proxy);
    const during = await phase(faultMs);
    await fault.end(server, proxy);
    const after = during === crashed ? crashed : await phase(calmMs);
    return { during, after, heapGrowthMb: after.heapMb - before.heapMb };
  } finally {
    child.kill('SIGKILL');
    proxy.close();
    await server.stop();
  }
}

// What a process reports that did not survive.
const crashed: PhaseReport = {
  reads: 0,
  errors: 0,
  hung: Number.NaN,
  p99Ms: Number.POSITIVE_INFINITY,
  maxMs: Number.POSITIVE_INFINITY,
  unhandled: Number.NaN,
  heapMb: Number.NaN,
};

/** Every fault under every cache, as lines of a table; only Weir's have to hold. */
export async function faultTable(): Promise<{ title: string; holds: boolean; evidence: unknown }[]> {
  const claims: { title: string; holds: boolean; evidence: unknown }[] = [];
  for (const fault of faults) {
    for (const subject of redisSubjects) {
      const { during, after, heapGrowthMb } = await suffer(subject, fault);
      const row = {
        p99Ms: Math.round(during.p99Ms),
        maxMs: Math.round(during.maxMs),
        reads: during.reads,
        errors: during.errors,
        hung: during.hung,
        unhandled: during.unhandled,
        errorsAfter: after.errors,
        heapGrowthMb: Math.round(heapGrowthMb * 10) / 10,
      };
      if (subject !== 'weir') {
        console.log(`       ${fault.name}, ${subject}: ${JSON.stringify(row)}`);
        continue;
      }
      const isBounded = during.p99Ms <= loadMs + deadlineMs + 20 && during.hung === 0;
      const isClean = during.errors + after.errors + during.unhandled + after.unhandled === 0;
      claims.push({
        title: `${fault.name}: p99 within the load's time and the deadline, no error, no unhandled rejection, flat heap`,
        holds: isBounded && isClean && heapGrowthMb < 10,
        evidence: row,
      });
    }
  }
  return claims;
}
