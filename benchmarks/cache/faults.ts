import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type RedisServer, startRedis } from '@weir/test-kit';
import { Redis } from 'ioredis';
import { type DroppingProxy, startDroppingProxy } from './dropping-proxy.ts';
import type { FaultJob, Phase, PhaseReport } from './fault-worker.ts';

/** Duration of the load under test, and Weir's default deadline of a Redis operation. */
export const loadMs = 5;
export const deadlineMs = 100;
const calmMs = 1_000;
const faultMs = 4_000;
// One breaker period and the recovery queue's pace fit in.
const recoveryMs = 3_000;

interface Fault {
  readonly name: string;
  begin(server: RedisServer, proxy: DroppingProxy): Promise<() => Promise<unknown> | unknown>;
}

/** How Redis fails; `begin` hands back the way to end it. */
export const faults: readonly Fault[] = [
  {
    name: 'SIGSTOP',
    begin: async (server) => {
      server.pause();
      return () => server.resume();
    },
  },
  {
    name: 'SIGKILL, then connection refused',
    begin: async (server) => {
      await server.kill();
      return async () => {
        const again = await startRedis({ port: server.port });
        server.stop = () => again.stop();
      };
    },
  },
  {
    name: 'dropping proxy',
    begin: async (_server, proxy) => {
      proxy.drop(true);
      return () => proxy.drop(false);
    },
  },
  {
    name: 'SCRIPT FLUSH every 100 ms',
    begin: async (server) => {
      const redis = new Redis(server.url);
      const timer = setInterval(() => void redis.script('FLUSH'), 100);
      return () => {
        clearInterval(timer);
        redis.disconnect();
      };
    },
  },
];

/** One line of the fault table. */
export interface FaultRow {
  readonly fault: string;
  readonly subject: string;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly reads: number;
  readonly errors: number;
  readonly hung: number;
  readonly unhandled: number;
  /** Errors of reads after the fault had ended. */
  readonly errorsAfter: number;
  /** Of 80 reads, 3 s after the fault's end, those that saw a value older than a change made during it. */
  readonly incoherentAfter: number;
  readonly crashed: boolean;
}

/** One cache under steady reads through one fault. */
export async function suffer(subject: string, fault: Fault): Promise<FaultRow> {
  const server = await startRedis();
  const proxy = await startDroppingProxy(server.port);
  const child = fork(join(import.meta.dirname, 'fault-worker.ts'), {
    execArgv: ['--conditions=@weir/source', '--expose-gc'],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const ended = once(child, 'exit').then(() => [crashed]);
  const phase = async (message: Phase): Promise<PhaseReport> => {
    if (!child.connected) return crashed;
    child.send(message);
    const [report] = (await Promise.race([once(child, 'message'), ended])) as [PhaseReport];
    return report;
  };
  try {
    const job: FaultJob = { subject, redisUrl: proxy.url, loadMs };
    child.send(job);
    await Promise.race([once(child, 'message'), ended]);
    await phase({ durationMs: calmMs });
    const end = await fault.begin(server, proxy);
    const during = await phase({ durationMs: faultMs, also: 'update' });
    await end();
    const after = await phase({ durationMs: recoveryMs, also: 'converge' });
    const tenth = (ms: number) => Math.round(ms * 10) / 10;
    return {
      fault: fault.name,
      subject,
      p50Ms: tenth(during.p50Ms),
      p99Ms: tenth(during.p99Ms),
      maxMs: tenth(during.maxMs),
      reads: during.reads,
      errors: during.errors,
      hung: during.hung,
      unhandled: during.unhandled + after.unhandled,
      errorsAfter: after.errors,
      incoherentAfter: after.incoherent,
      crashed: during === crashed || after === crashed,
    };
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
  hung: 0,
  p50Ms: Number.POSITIVE_INFINITY,
  p99Ms: Number.POSITIVE_INFINITY,
  maxMs: Number.POSITIVE_INFINITY,
  unhandled: 0,
  heapMb: Number.NaN,
  incoherent: 0,
};
