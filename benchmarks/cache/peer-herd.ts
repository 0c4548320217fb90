import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { startRedis } from '@weir/test-kit';
import type { PeerHerdJob } from './peer-herd-worker.ts';
import { redisSubjects } from './subjects.ts';

const processes = 4;
const callers = 250;

/** How many loads 1000 concurrent misses of one key cost over 4 processes on one Redis. */
export async function measureHerd(): Promise<Record<string, number>> {
  const loads: Record<string, number> = {};
  for (const subject of redisSubjects) {
    const server = await startRedis();
    const children = Array.from({ length: processes }, () =>
      fork(join(import.meta.dirname, 'peer-herd-worker.ts'), { execArgv: ['--conditions=@weir/source'] }),
    );
    try {
      const job: PeerHerdJob = { subject, redisUrl: server.url, callers };
      const ready = children.map((child) => once(child, 'message'));
      for (const child of children) child.send(job);
      await Promise.all(ready);
      const counts = children.map((child) => once(child, 'message'));
      for (const child of children) child.send('go');
      loads[subject] = (await Promise.all(counts)).reduce((sum, [count]) => sum + (count as number), 0);
    } finally {
      for (const child of children) if (child.connected) child.disconnect();
      await server.stop();
    }
  }
  return loads;
}
