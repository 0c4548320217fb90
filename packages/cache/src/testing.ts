import assert from 'node:assert/strict';
import { decorateLink, linkOf, type RedisClient, RedisError, type RedisLink } from '@weir/redis';
import { createCache } from './cache.ts';

/** A Redis that behaves as the client it wraps until `behave` says otherwise. */
export interface FlakyRedis extends RedisLink {
  /**
   * From now on: answer as usual, reject every command, or keep every command (`frozen`) until the next call of `behave`, as a
   * stopped server does. Kept commands are carried out then.
   */
  behave(mode: 'well' | 'failing' | 'frozen'): void;
  /** The next command is carried out, but its answer is lost, as when the connection is cut in between. */
  loseNextReply(): void;
  /** Commands and scripts received since creation. */
  readonly commands: number;
}

/** Wraps a client for `createCache({ redis })`. The cache's own connection for messages is not affected. */
export function createFlakyRedis(client: RedisClient): FlakyRedis {
  let mode: 'well' | 'failing' | 'frozen' = 'well';
  let losesReply = false;
  let commands = 0;
  let thaw = Promise.withResolvers<void>();
  const link = decorateLink(linkOf(client), async (send) => {
    commands += 1;
    while (mode === 'frozen') await thaw.promise;
    if (mode === 'failing') {
      const message = 'READONLY this Redis fails on purpose';
      throw new RedisError('ERR_WEIR_REDIS_REPLY', message, { reply: 'READONLY' });
    }
    const reply = await send();
    if (!losesReply) return reply;
    losesReply = false;
    throw new RedisError('ERR_WEIR_REDIS_LOST', 'The connection was cut on purpose.');
  });
  return Object.defineProperties(link, {
    behave: {
      value: (next: typeof mode) => {
        mode = next;
        if (next === 'frozen') return;
        thaw.resolve();
        thaw = Promise.withResolvers<void>();
      },
    },
    loseNextReply: {
      value: () => {
        losesReply = true;
      },
    },
    commands: { get: () => commands },
  }) as FlakyRedis;
}

/** A clock for `createCache({ clock })` that moves only by `advance`. */
export interface ManualClock {
  now(): number;
  /** Moves forward by `ms`, at least 0. */
  advance(ms: number): void;
}

export function createManualClock(startMs: number = 0): ManualClock {
  let nowMs = startMs;
  return {
    now: () => nowMs,
    advance(ms) {
      if (!(ms >= 0))
        throw new RangeError(
          `Expected \`ms\` to be at least 0, got \`${ms}\`. A monotonic clock never goes back.`,
        );
      nowMs += ms;
    },
  };
}

/** One property that the cache needs of its Redis. */
export interface ContractCheck {
  readonly title: string;
  /** Rejects with an assertion error if the property does not hold. */
  run(): Promise<void>;
}

/** What another instance finds. A caller gets a loaded value before Redis has it, so it may take some reads. */
async function found(cache: Cache, key: string): Promise<unknown> {
  for (let read = 0; ; read += 1) {
    const value = await cache.get(key);
    if (value !== undefined || read === 1_000) return value;
  }
}

/**
 * The checks that a Redis, a proxy or a compatible server (KeyDB, Dragonfly, a managed service) must pass for the guarantees of the
 * cache to hold on it. Pass each to your test runner: `for (const c of storeContract(connect)) test(c.title, c.run)`. `connect`
 * returns a client of any supported library. The keys used begin with `weir:contract-`.
 */
export function storeContract(connect: () => Promise<RedisClient>): readonly ContractCheck[] {
  let run = 0;
  const twoInstances = async (body: (a: Cache, b: Cache) => Promise<void>): Promise<void> => {
    run += 1;
    const name = `contract-${process.pid}-${Date.now()}-${run}`;
    const caches = await Promise.all([connect(), connect()]).then((clients) =>
      clients.map((redis) => createCache({ name, redis, l2: { deadlineMs: 2_000 } })),
    );
    const [a, b] = caches as [Cache, Cache];
    try {
      for (const cache of caches) assert.equal(await cache.ready(), true, 'the bus never became ready');
      await body(a, b);
    } finally {
      await Promise.all(caches.map((cache) => cache.close()));
    }
  };
  const check = (title: string, body: (a: Cache, b: Cache) => Promise<void>): ContractCheck => ({
    title,
    run: () => twoInstances(body),
  });

  return [
    check('a value loaded by one instance is found by another, in the same shape', async (a, b) => {
      const value = { at: new Date(1), list: new Map([[1n, new Set(['x'])]]), bytes: Buffer.from([0, 255]) };
      await a.getOrSet('k', () => value);
      assert.deepEqual(await found(b, 'k'), value);
    }),
    check('a lease lets one of two instances load', async (a, b) => {
      let loads = 0;
      const load = async () => {
        loads += 1;
        await new Promise((resolve) => setTimeout(resolve, 50));
        return loads;
      };
      assert.deepEqual(await Promise.all([a.getOrSet('k', load), b.getOrSet('k', load)]), [1, 1]);
    }),
    check('a delete during a load keeps its value out', async (a, b) => {
      const gate = Promise.withResolvers<string>();
      const started = Promise.withResolvers<void>();
      const early = a.getOrSet('k', () => {
        started.resolve();
        return gate.promise;
      });
      await started.promise;
      assert.equal(await b.delete('k'), true);
      gate.resolve('old');
      assert.equal(await early, 'old');
      assert.equal(await a.getOrSet('k', () => 'new'), 'new');
      assert.equal(await found(b, 'k'), 'new');
    }),
    check('a resolved delete has left the memory of every instance', async (a, b) => {
      await a.getOrSet('k', () => 1);
      await b.get('k');
      assert.equal(await a.delete('k'), true);
      assert.equal(await b.get('k'), undefined);
    }),
    check('a tag invalidates in every instance', async (a, b) => {
      await a.getOrSet('k', () => 1, { tags: ['t'] });
      await b.get('k');
      assert.equal(await b.invalidateTags(['t']), true);
      assert.equal(await a.get('k'), undefined);
      assert.equal(await b.get('k'), undefined);
    }),
    check('an entry expires', async (a, b) => {
      await a.set('k', 1, { ttlMs: 20 });
      await new Promise((resolve) => setTimeout(resolve, 40));
      assert.equal(await b.get('k'), undefined);
    }),
  ];
}

type Cache = ReturnType<typeof createCache>;
