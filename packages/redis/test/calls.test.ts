import { freePort, type RedisServer, startRedis, startRedisCluster } from '@weir/test-kit';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  Breaker,
  type CallOutcome,
  createScript,
  Deadlines,
  linkOf,
  RedisCalls,
  type RedisCallsOptions,
  type RedisError,
  type RedisLink,
  ServerClock,
  ticketsOf,
} from '../src/index.ts';
import { type ClientKind, clientKinds, type TestClient } from './clients.ts';

const clock = { now: () => performance.now() };
const kinds = clientKinds.filter(({ name }) => !name.includes(','));

function createCalls(link: RedisLink, more: Partial<RedisCallsOptions> = {}) {
  const outcomes: [operation: string, outcome: CallOutcome][] = [];
  const calls = new RedisCalls({
    link,
    deadlineMs: 200,
    breaker: { failures: 3, openMs: 50 },
    clock,
    withoutConnection: 'reject',
    onOutcome: (operation, _durationMs, outcome) => outcomes.push([operation, outcome]),
    ...more,
  });
  return { calls, outcomes };
}

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'ok',
    (error: RedisError) => error.code,
  );

describe.each(kinds)('calls through $name', (kind: ClientKind) => {
  let server: RedisServer;
  let client: TestClient;
  beforeEach(async () => {
    server = await startRedis();
    client = await kind.single(server);
  });
  afterEach(async () => {
    await client.close();
    await server.stop();
  });

  test('end in time while the server is frozen, open the breaker, and come back by one probe', async () => {
    let recovered = 0;
    const { calls, outcomes } = createCalls(client.link, { onRecovered: () => (recovered += 1) });
    expect(await codeOf(calls.command('read', 'GET', ['k']))).toBe('ok');
    server.pause();
    const frozen = Array.from({ length: 3 }, () => codeOf(calls.command('read', 'GET', ['k'])));
    expect(await Promise.all(frozen)).toEqual(Array(3).fill('ERR_WEIR_REDIS_TIMEOUT'));
    expect(calls.isUsable()).toBe(false);
    expect(await codeOf(calls.command('read', 'GET', ['k']))).toBe('ERR_WEIR_REDIS_UNAVAILABLE');
    server.resume();
    await expect.poll(() => codeOf(calls.command('read', 'GET', ['k'])), { timeout: 5_000 }).toBe('ok');
    expect(calls.isUsable()).toBe(true);
    expect(recovered).toBe(1);
    expect(outcomes.slice(0, 4)).toEqual([
      ['read', 'ok'],
      ['read', 'timeout'],
      ['read', 'timeout'],
      ['read', 'timeout'],
    ]);
    await calls.idle();
  });

  test.runIf(kind.library !== 'valkey-glide')(
    'reject at once while the connection is lost, or wait for it within the deadline',
    async () => {
      const rejecting = createCalls(client.link).calls;
      const waiting = createCalls(client.link, { withoutConnection: 'wait', deadlineMs: 10_000 }).calls;
      const lost = new Promise<void>((resolve) => {
        client.link.watch((now) => now === 'lost' && resolve());
      });
      await server.kill();
      await lost;
      expect(await codeOf(rejecting.command('read', 'GET', ['k']))).toBe('ERR_WEIR_REDIS_UNAVAILABLE');
      const late = codeOf(waiting.command('read', 'GET', ['k']));
      const again = await startRedis({ port: server.port });
      try {
        expect(await late).toBe('ok');
      } finally {
        await again.stop();
      }
    },
  );

  test.runIf(kind.library !== 'valkey-glide')(
    'come back after an outage in which many calls waited for the connection in vain',
    async () => {
      const { calls } = createCalls(client.link, { withoutConnection: 'wait', deadlineMs: 100 });
      const lost = new Promise<void>((resolve) => {
        client.link.watch((now) => now === 'lost' && resolve());
      });
      await server.kill();
      await lost;
      const waited = Array.from({ length: 40 }, () => codeOf(calls.command('read', 'GET', ['k'])));
      expect(await Promise.all(waited)).toEqual(Array(40).fill('ERR_WEIR_REDIS_TIMEOUT'));
      const again = await startRedis({ port: server.port });
      try {
        const read = () => codeOf(calls.command('read', 'GET', ['k']));
        await expect.poll(read, { timeout: 5_000 }).toBe('ok');
      } finally {
        await again.stop();
      }
    },
  );

  test.runIf(kind.library !== 'valkey-glide')(
    'a ticket voided by a lost connection acts on no server',
    async () => {
      const { link } = client;
      const office = ticketsOf(link);
      const script = createScript(
        'count',
        "local last = tonumber(ARGV[1]) local t = redis.call('TIME') if last > 0 and t[1] * 1e6 + t[2] > last then return -1 end return redis.call('INCR', KEYS[1])",
      );
      expect(await link.script(script, ['n'], [office.issue(0).argument])).toBe(1);
      server.pause();
      const ticket = office.issue(0);
      const lost = new Promise<void>((resolve) => {
        link.watch((now) => now === 'lost' && resolve());
      });
      const call = link.script(script, ['n'], [ticket.argument]).catch((error: RedisError) => error.code);
      await new Promise(setImmediate);
      await server.kill();
      await lost;
      const again = await startRedis({ port: server.port });
      try {
        // Sent again with its void ticket, or rejected: it never counts on the new server.
        expect(['ERR_WEIR_REDIS_LOST', -1]).toContain(await call);
        expect(await link.command('GET', ['n'])).toBeNull();
      } finally {
        await again.stop();
      }
    },
  );
});

describe.each(kinds.filter(({ library }) => library !== 'valkey-glide'))(
  'a cluster through $name',
  (kind) => {
    test('breaks each node alone', async () => {
      const cluster = await startRedisCluster();
      const client = await kind.cluster(cluster);
      const { calls } = createCalls(client.link);
      try {
        const keys = Array.from({ length: 50 }, (_, index) => `k${index}`);
        const dead = cluster.nodes[1];
        const isDead = (key: string) => client.link.nodeOf(key) === `${dead?.host}:${dead?.port}`;
        expect(keys.some(isDead)).toBe(true);
        process.kill(dead?.pid ?? 0, 'SIGSTOP');
        for (let round = 0; round < 2; round += 1) {
          const outcomes = await Promise.all(keys.map((key) => codeOf(calls.command('read', 'GET', [key]))));
          for (const [index, key] of keys.entries()) {
            if (isDead(key)) expect(outcomes[index]).toMatch(/TIMEOUT|LOST|UNAVAILABLE/);
            else expect(outcomes[index]).toBe('ok');
          }
        }
        for (const key of keys) expect(calls.isUsable(key)).toBe(!isDead(key));
      } finally {
        await client.close();
        await cluster.stop();
      }
    });
  },
);

describe('the first commands of a process', () => {
  const ioredisClient = (more: { lazyConnect?: boolean; enableOfflineQueue?: boolean }) => (port: number) => {
    const client = new Redis(port, '127.0.0.1', { retryStrategy: () => 10, ...more });
    client.on('error', () => {});
    return { link: linkOf(client), close: () => client.disconnect() };
  };
  const nodeRedisClient = (disableOfflineQueue: boolean) => (port: number) => {
    const client = createClient({ socket: { host: '127.0.0.1', port }, disableOfflineQueue });
    client.on('error', () => {});
    client.connect().catch(() => {});
    return { link: linkOf(client), close: () => client.destroy() };
  };
  const clients: Record<string, (port: number) => { link: RedisLink; close(): void }> = {
    ioredis: ioredisClient({}),
    'a lazy ioredis': ioredisClient({ lazyConnect: true }),
    'ioredis without an offline queue': ioredisClient({ enableOfflineQueue: false }),
    'a lazy ioredis without an offline queue': ioredisClient({
      lazyConnect: true,
      enableOfflineQueue: false,
    }),
    'node-redis': nodeRedisClient(false),
    'node-redis without an offline queue': nodeRedisClient(true),
  };
  const matrix = Object.keys(clients).flatMap((name) => [
    { name, withoutConnection: 'wait' as const },
    { name, withoutConnection: 'reject' as const },
  ]);

  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());

  test.each(matrix)('wait for its first connection: $name, $withoutConnection', async (row) => {
    const { link, close } = (clients[row.name] as (typeof clients)[string])(server.port);
    const { calls } = createCalls(link, {
      withoutConnection: row.withoutConnection,
      deadlineMs: 10_000,
      breaker: { failures: 1, openMs: 10_000 },
    });
    const write = (): Promise<string> => codeOf(calls.command('write', 'SET', ['k'], ['v']));
    expect(new Set(await Promise.all(Array.from({ length: 20 }, write)))).toEqual(new Set(['ok']));
    close();
  });

  test.each(Object.keys(clients).filter((name) => name.endsWith('without an offline queue')))(
    'fail as soon as that connection has failed: %s',
    async (name) => {
      const { link, close } = (clients[name] as (typeof clients)[string])(await freePort());
      const { calls } = createCalls(link, { deadlineMs: 60_000 });
      expect(await codeOf(calls.command('write', 'SET', ['k'], ['v']))).toBe('ERR_WEIR_REDIS_LOST');
      close();
    },
  );
});

describe('a client that never answers', () => {
  const createDeafLink = () => {
    const state = { losses: 0, sent: 0 };
    const link = {
      get losses() {
        return state.losses;
      },
      state: () => 'ready',
      nodeOf: () => '',
      command: () => {
        state.sent += 1;
        return new Promise<never>(() => {});
      },
    } as unknown as RedisLink;
    return { link, state };
  };

  test('gets a bounded number of commands, then one from time to time', async () => {
    let nowMs = 0;
    const { link, state } = createDeafLink();
    const { calls } = createCalls(link, {
      deadlineMs: 1,
      breaker: { failures: 1, openMs: 10 },
      clock: { now: () => nowMs },
    });
    const attempt = async (times: number): Promise<number> => {
      for (let count = 0; count < times; count += 1) {
        nowMs += 10;
        await codeOf(calls.command('read', 'GET', ['k']));
      }
      return state.sent;
    };
    expect(await attempt(100)).toBe(16);
    nowMs += 2_000;
    expect(await attempt(10)).toBe(17);
    // Another connection owes no answers.
    state.losses += 1;
    expect(await attempt(100)).toBe(33);
  });

  test('makes calls reject with what `toError` makes of the reason', async () => {
    const shown = (error: RedisError) => new Error(`shown: ${error.code}`, { cause: error });
    const { calls } = createCalls(createDeafLink().link, {
      deadlineMs: 1,
      breaker: { failures: 1, openMs: 3_600_000 },
      toError: shown,
    });
    await expect(calls.command('read', 'GET', ['k'])).rejects.toThrow('shown: ERR_WEIR_REDIS_TIMEOUT');
    await expect(calls.command('read', 'GET', ['k'])).rejects.toThrow('shown: ERR_WEIR_REDIS_UNAVAILABLE');
  });
});

test('a lost connection ends at once what waits for it', async () => {
  let isLost = false;
  const deadlines = new Deadlines(1, () => isLost);
  const ended = new Promise<string>((resolve) => {
    deadlines.start(performance.now() + 3_600_000, () => resolve('ended'));
  });
  isLost = true;
  expect(await ended).toBe('ended');
});

test('what is known of the clock of the server bounds it on both sides, whatever the trips', () => {
  const step = fc.record({
    pause: fc.integer({ min: 0, max: 20_000 }),
    there: fc.integer({ min: 0, max: 500 }),
    back: fc.integer({ min: 0, max: 500 }),
  });
  fc.assert(
    fc.property(fc.integer({ min: -1e9, max: 1e9 }), fc.array(step, { minLength: 1 }), (offset, steps) => {
      const serverClock = new ServerClock();
      expect(serverClock.toServer(0)).toBeNaN();
      let now = 0;
      for (const { back, pause, there } of steps) {
        now += pause;
        const sentAt = now;
        now += there;
        const serverMs = now + offset;
        now += back;
        serverClock.observe(serverMs, sentAt, now);
        expect(serverClock.toLocal(1_000 + offset)).toBeLessThanOrEqual(1_000);
        expect(serverClock.toLocal(1_000 + offset)).toBeGreaterThanOrEqual(1_000 - there - back);
        expect(serverClock.toServer(1_000)).toBeLessThanOrEqual(1_000 + offset);
        expect(serverClock.toServer(1_000)).toBeGreaterThanOrEqual(1_000 + offset - there - back);
      }
      expect(serverClock.isKnown(now)).toBe(true);
      expect(serverClock.isKnown(now + 10_000)).toBe(false);
    }),
  );
});

test('a slow reply after a long pause leaves what is known of the clock of the server, but for the drift', () => {
  const serverClock = new ServerClock();
  serverClock.observe(500_001, 0, 2);
  serverClock.observe(560_090, 60_000, 60_180);
  expect(serverClock.toServer(60_000)).toBeCloseTo(559_969, 0);
  // A clock that was set is another matter.
  serverClock.observe(10_001, 70_000, 70_002);
  expect(serverClock.toServer(70_000)).toBe(9_999);
});

test('a breaker opens after failures in a row, and lets one probe through at a time', () => {
  let nowMs = 0;
  const breaker = new Breaker({ failures: 2, openMs: 100 }, { now: () => nowMs });
  breaker.fail();
  breaker.succeed();
  breaker.fail();
  expect(breaker.isOpen).toBe(false);
  breaker.fail();
  expect([breaker.isOpen, breaker.admit()]).toEqual([true, false]);
  nowMs = 100;
  expect([breaker.admit(), breaker.admit()]).toEqual([true, false]);
  breaker.fail();
  expect(breaker.admit()).toBe(false);
  nowMs = 200;
  expect(breaker.admit()).toBe(true);
  breaker.succeed();
  expect([breaker.isOpen, breaker.admit(), breaker.admit()]).toEqual([false, true, true]);
});
