import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type RedisServer, startRedis } from '@weir/test-kit';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRateLimiter, type Policy } from '../src/index.ts';
import { glide, ioredis, nodeRedis, type TestClient } from './redis-clients.ts';

const perHour: Policy = { name: 'per-client', algorithm: 'gcra', limit: 10, windowMs: 3_600_000 };

describe.each([ioredis, nodeRedis, glide])('a fault of Redis, through $name:', (kind) => {
  let server: RedisServer;
  let client: TestClient;
  /** Sets up and reads what the client under test is not to do. */
  let redis: Redis;

  beforeAll(async () => {
    server = await startRedis();
    client = await kind.single(server);
    redis = new Redis(server.url);
    redis.on('error', () => {});
  });

  afterAll(async () => {
    client.close();
    redis.disconnect();
    await server.stop();
  });

  test.each(['open', 'closed', { mode: 'local', share: 0.5 }] as const)(
    'answers by onStoreError %j when the server is frozen, and by Redis again after it thaws',
    async (onStoreError) => {
      const name = `frozen-${typeof onStoreError === 'object' ? 'local' : onStoreError}`;
      const limiter = createRateLimiter({
        name,
        redis: client.redis,
        policies: [perHour],
        onStoreError,
        deadlineMs: 50,
      });
      while ((await limiter.consume('warm-up')).source !== 'redis');
      server.pause();
      const decisions = await Promise.all(Array.from({ length: 8 }, () => limiter.consume('k')));
      server.resume();
      const allowed = decisions.filter((decision) => decision.allowed).length;
      expect(allowed).toBe(
        { open: 8, closed: 0, local: 5 }[typeof onStoreError === 'object' ? 'local' : onStoreError],
      );
      expect(limiter.stats().redisErrors).toBeGreaterThan(0);
      // What timed out here was refused there: the quota of the key is untouched. A look takes nothing, however often it fails.
      const remaining = () =>
        limiter.peek('k').then(
          ({ policies }) => policies[0]?.remaining,
          () => undefined,
        );
      await expect.poll(remaining, { timeout: 10_000 }).toBe(10);
    },
  );

  test('warns once when Redis refuses its scripts, which no waiting repairs', async () => {
    await redis.acl('SETUSER', 'reader', 'on', '>secret', '~*', '+@all', '-eval', '-evalsha');
    const reader = await kind.single(server, { username: 'reader', password: 'secret' });
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning);
    process.on('warning', onWarning);
    const limiter = createRateLimiter({
      name: 'refused',
      redis: reader.redis,
      policies: [perHour],
      deadlineMs: 5000,
    });
    expect((await limiter.consume('k')).source).toBe('open');
    expect((await limiter.consume('k')).source).toBe('open');
    await expect
      .poll(() => warnings.map(({ message }) => message))
      .toEqual([expect.stringMatching(/"refused"\. Redis answered: NOPERM/)]);
    process.off('warning', onWarning);
    reader.close();
  });

  test('counts a request once when the client lost the connection and sends it again', async () => {
    const proxy = await startProxy(server.port);
    const proxied = await kind.single(proxy);
    const options = { name: 'resent', policies: [perHour], deadlineMs: 60_000 };
    const limiter = createRateLimiter({ ...options, redis: proxied.redis, onStoreError: 'closed' });
    await limiter.consume('k');
    const reader = createRateLimiter({ ...options, redis });
    const left = async () => (await reader.peek('k')).policies[0]?.remaining;
    proxy.loseReplies();
    const second = limiter.consume('k');
    // Redis has decided and the reply is lost; the client connects again, well within the deadline.
    await expect.poll(left).toBe(8);
    proxy.mend();
    expect((await second).source).toBe('closed');
    expect(await left()).toBe(8);
    proxied.close();
    proxy.close();
  });

  describe.each([
    ['one record', 'k', [perHour]],
    [
      'parts of a key',
      { user: 'u' },
      [
        { ...perHour, key: 'user' },
        { ...perHour, name: 'all' },
      ],
    ],
  ] as const)('a refund that failed, of %s,', (shape, key, policies) => {
    const options = { policies, deadlineMs: 60_000 };
    const left = async (name: string): Promise<number[]> =>
      (await createRateLimiter({ ...options, name, redis }).peek(key)).policies.map(
        ({ remaining }) => remaining,
      );

    test('gives the units back when it is tried again: the server was frozen', async () => {
      const name = `thawed-${shape.length}`;
      const limiter = createRateLimiter({ ...options, name, redis: client.redis, deadlineMs: 50 });
      let decision = await limiter.consume(key, { cost: 2 });
      while (decision.source !== 'redis') decision = await limiter.consume(key, { cost: 2 });
      const before = await left(name);
      server.pause();
      await expect(limiter.refund(key, decision)).rejects.toMatchObject({ code: 'ERR_WEIR_RATELIMIT_STORE' });
      server.resume();
      await redis.ping();
      const refund = () => limiter.refund(key, decision).catch(() => undefined);
      await expect.poll(refund, { timeout: 10_000 }).toBe(true);
      expect(await limiter.refund(key, decision)).toBe(false);
      expect(await left(name)).toEqual(before.map((remaining) => remaining + 2));
    });

    test('gives them back once although Redis had applied it: the answer was lost', async () => {
      const name = `lost-${shape.length}`;
      const proxy = await startProxy(server.port);
      const proxied = await kind.single(proxy);
      const limiter = createRateLimiter({ ...options, name, redis: proxied.redis });
      await limiter.consume(key, { cost: 6 });
      const decision = await limiter.consume(key, { cost: 2 });
      proxy.loseReplies();
      const refund = limiter.refund(key, decision);
      await expect.poll(() => left(name)).toEqual(policies.map(() => 4));
      proxy.mend();
      await expect(refund).rejects.toMatchObject({ code: 'ERR_WEIR_RATELIMIT_STORE' });
      expect(await limiter.refund(key, decision)).toBe(true);
      expect(await left(name)).toEqual(policies.map(() => 4));
      proxied.close();
      proxy.close();
    });
  });
});

/** A TCP address in front of a port whose replies can get lost. */
async function startProxy(target: number) {
  const sockets = new Set<Socket>();
  let isDeaf = false;
  const proxy = createServer((client) => {
    const upstream = connect(target, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => void [client, upstream].map((end) => end.destroy()));
    }
    client.pipe(upstream);
    upstream.on('data', (chunk) => {
      if (!isDeaf) client.write(chunk);
    });
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  return {
    port: (proxy.address() as AddressInfo).port,
    /** From now on no reply passes. */
    loseReplies: () => {
      isDeaf = true;
    },
    /** Ends all connections; those of new ones pass again. */
    mend: () => {
      isDeaf = false;
      for (const socket of sockets) socket.destroy();
    },
    close: () => {
      for (const socket of sockets) socket.destroy();
      proxy.close();
    },
  };
}
