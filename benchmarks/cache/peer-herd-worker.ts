/** One process of a herd: connects, reads once, says so; then reads one key as often as it is told, all at once. */
import { createSubject } from './subjects.ts';

export interface PeerHerdJob {
  readonly subject: string;
  readonly redisUrl: string;
  readonly callers: number;
}

async function join({ callers, redisUrl, subject }: PeerHerdJob): Promise<void> {
  const cache = await createSubject(subject, { ttlMs: 600_000, size: 1_000, redisUrl });
  await cache.read(`warm ${process.pid}`, async () => ({ warm: true }));
  process.once('message', async () => {
    let loads = 0;
    const load = async () => {
      loads += 1;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return { loaded: true };
    };
    await Promise.all(Array.from({ length: callers }, () => cache.read('herd', load)));
    process.send?.(loads);
  });
  process.send?.('ready');
}

process.once('message', (job: PeerHerdJob) => void join(job));
process.on('disconnect', () => process.exit());
