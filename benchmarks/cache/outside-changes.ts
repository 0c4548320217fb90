import { type Cache, createCache } from '@weir/cache';
import { run, startRedis } from '@weir/test-kit';
import { Redis } from 'ioredis';

/** What redis-cli does to a key behind Weir's back, and how long until no instance has it in memory any more. */
export interface OutsideChange {
  readonly command: string;
  readonly key: string;
  readonly evictedMs: number;
}

const keys = ['plain', 'comma,', 'new\nline', 'ключ', 'lone \ud800', '{}'];

async function isInMemory(cache: Cache, key: string): Promise<boolean> {
  const before = cache.stats().l1Hits;
  await cache.get(key);
  return cache.stats().l1Hits > before;
}

/** Every command of a real redis-cli on every key, with three instances watching; gives up a key after 5 s. */
export async function changeFromOutside(): Promise<{
  readonly changes: readonly OutsideChange[];
  /** Entries that a foreign key with bytes that are no UTF-8 has driven out: none. */
  readonly disturbedByForeignKeys: number;
}> {
  const server = await startRedis();
  const redisCli = async (args: string[], input = '') => {
    const { code, stderr } = await run('redis-cli', ['-p', String(server.port), ...args], { input });
    if (code !== 0) throw new Error(`redis-cli failed: ${stderr}`);
  };
  const clients = [1, 2, 3].map(() => new Redis(server.url));
  const caches = clients.map((redis) => createCache({ name: 'outside', redis }));
  const [watcher] = clients as [Redis];
  try {
    for (const cache of caches) await cache.ready();
    const fill = async (key: string) => {
      for (const cache of caches) await cache.getOrSet(key, () => 1);
    };
    const evicted = async (key: string) => {
      const start = performance.now();
      const isHeld = async () =>
        (await Promise.all(caches.map((cache) => isInMemory(cache, key)))).some(Boolean);
      while (await isHeld()) {
        if (performance.now() - start > 5_000) return Number.POSITIVE_INFINITY;
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      return Math.round((performance.now() - start) * 10) / 10;
    };
    const changes: OutsideChange[] = [];
    for (const command of ['DEL', 'EXPIRE', 'FLUSHALL']) {
      for (const key of keys) {
        await fill(key);
        const [entry = ''] = await watcher.keys('weir:outside@1:e:*');
        await redisCli(
          command === 'DEL' ? [command, entry] : command === 'EXPIRE' ? [command, entry, '0'] : [command],
        );
        changes.push({ command, key, evictedMs: await evicted(key) });
      }
    }
    await fill('bystander');
    await redisCli(
      [],
      'SET "weir:outside@1:e:{~:\\xff\\xfe,}" x\nSET "weir:outside@1:e:{" x\nDEL "weir:outside@1:e:{~:\\xff\\xfe,}"\n',
    );
    await Promise.all(clients.map((client) => client.ping()));
    const held = await Promise.all(caches.map((cache) => isInMemory(cache, 'bystander')));
    return { changes, disturbedByForeignKeys: held.filter((isHeld) => !isHeld).length };
  } finally {
    await Promise.all(caches.map((cache) => cache.close()));
    for (const client of clients) client.disconnect();
    await server.stop();
  }
}

/** The subscriber killed again and again while loads run and others delete: reads that saw what a resolved delete removed. */
export async function killSubscribers(rounds: number): Promise<{ rounds: number; stale: number }> {
  const server = await startRedis();
  const clients = [1, 2].map(() => new Redis(server.url));
  const [a, b] = clients.map((redis) => createCache({ name: 'subscribers', redis })) as [Cache, Cache];
  let stale = 0;
  let version = 0;
  try {
    await Promise.all([a.ready(), b.ready()]);
    for (let round = 0; round < rounds; round += 1) {
      const key = `k${round % 5}`;
      const gate = Promise.withResolvers<void>();
      const started = Promise.withResolvers<void>();
      const load = async () => {
        const read = version;
        started.resolve();
        await gate.promise;
        return read;
      };
      await a.delete(key);
      const early = a.getOrSet(key, load);
      await started.promise;
      await clients[1]?.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      version += 1;
      let isConfirmed = await b.delete(key);
      gate.resolve();
      await early;
      // Unconfirmed, it promises nothing: told again until it is.
      while (!isConfirmed) isConfirmed = await b.delete(key);
      for (const cache of [a, b])
        if ((await cache.getOrSet(key, async () => version)) !== version) stale += 1;
    }
    return { rounds, stale };
  } finally {
    await Promise.all([a.close(), b.close()]);
    for (const client of clients) client.disconnect();
    await server.stop();
  }
}
