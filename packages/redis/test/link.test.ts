import { GlideClient, Logger } from '@valkey/valkey-glide';
import { type RedisCluster, type RedisServer, startRedis, startRedisCluster } from '@weir/test-kit';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  createScript,
  decorateLink,
  linkOf,
  type RedisError,
  type RedisLink,
  type RedisReply,
} from '../src/index.ts';
import { type ClientKind, clientKinds, type TestClient } from './clients.ts';

const binary = Buffer.from([0, 1, 13, 10, 255, 254, 128, 36]);
const echo = createScript('echo', 'return { #KEYS, KEYS[1], ARGV[1], {1, {ARGV[2], false}}, 42 }');
const fails = createScript('fails', "return redis.error_reply('WEIR late')");

// GLIDE logs every refused try, thousands in a second.
Logger.setLoggerConfig('off');

let server: RedisServer;
let cluster: RedisCluster;
beforeAll(async () => {
  [server, cluster] = await Promise.all([startRedis(), startRedisCluster()]);
});
afterAll(async () => {
  await Promise.all([server.stop(), cluster.stop()]);
});

async function rejection(promise: Promise<unknown>): Promise<RedisError> {
  return await promise.then(
    (value) => expect.fail(`resolved with ${String(value)}`),
    (error: RedisError) => error,
  );
}

const text = (reply: RedisReply): string => String(reply);

describe.each(clientKinds)('$name', (kind) => {
  describe.each(['single', 'cluster'] as const)('%s', (topology) => {
    let client: TestClient;
    let link: RedisLink;
    const connect = (more?: { keyPrefix?: string }): Promise<TestClient> =>
      topology === 'single' ? kind.single(server, more) : kind.cluster(cluster, more);
    beforeAll(async () => {
      client = await connect();
      link = client.link;
    });
    afterAll(() => client.close());

    test('tells what it is', () => {
      expect(link).toMatchObject({ library: kind.library, isCluster: topology === 'cluster', keyPrefix: '' });
      expect(link.state()).toBe(kind.library === 'valkey-glide' ? 'unknown' : 'ready');
      expect(linkOf(link)).toBe(link);
    });

    test('names the node of a key on a cluster, where the client knows it', () => {
      const address = link.nodeOf('a');
      if (topology === 'single' || kind.library === 'valkey-glide') expect(address).toBe('');
      else expect(cluster.nodes.map(({ host, port }) => `${host}:${port}`)).toContain(address);
    });

    test('hands out values as the bytes that were stored', async () => {
      expect(text(await link.command('SET', ['binary'], [binary]))).toBe('OK');
      expect(await link.command('GET', ['binary'])).toEqual(binary);
      expect(await link.command('GET', ['missing'])).toBeNull();
      await link.command('SET', ['text'], ['zwölf']);
      expect(await link.command('GET', ['text'])).toEqual(Buffer.from('zwölf'));
      await link.command('SET', ['empty'], ['']);
      expect(await link.command('GET', ['empty'])).toEqual(Buffer.alloc(0));
    });

    test('hands out integers as numbers', async () => {
      await link.command('DEL', ['counter']);
      expect(await link.command('INCRBY', ['counter'], ['41'])).toBe(41);
      expect(await link.command('INCR', ['counter'])).toBe(42);
      expect(await link.command('PTTL', ['counter'])).toBe(-1);
    });

    test('reads several keys of one slot, and a map as a flat list', async () => {
      await link.command('SET', ['{x}1'], ['one']);
      await link.command('SET', ['{x}2'], ['two']);
      const values = (await link.command('MGET', ['{x}1', '{x}2', '{x}3'])) as RedisReply[];
      expect(values.map((value) => (value === null ? null : text(value)))).toEqual(['one', 'two', null]);
      await link.command('DEL', ['map']);
      await link.command('HSET', ['map'], ['field', binary, 'other', '1']);
      const map = (await link.command('HGETALL', ['map'])) as Buffer[];
      expect(map).toEqual([Buffer.from('field'), binary, Buffer.from('other'), Buffer.from('1')]);
    });

    test('runs a script with keys and binary arguments, and answers in one shape', async () => {
      for (let round = 0; round < 3; round += 1) {
        expect(await link.script(echo, ['k'], [binary, 'text'])).toEqual([
          1,
          Buffer.from('k'),
          binary,
          [1, [Buffer.from('text'), null]],
          42,
        ]);
      }
    });

    test('runs a script that the server has forgotten', async () => {
      await link.script(echo, ['k'], ['a', 'b']);
      if (topology === 'single') await link.command('SCRIPT', [], ['FLUSH']);
      else for (const node of cluster.nodes) await flushScripts(node.port);
      expect(((await link.script(echo, ['k'], ['a', 'b'])) as RedisReply[])[4]).toBe(42);
    });

    test('runs many scripts of one turn, each with its own answer', async () => {
      const answers = await Promise.all(
        Array.from({ length: 200 }, (_, index) => link.script(echo, [`k${index}`], [String(index), ''])),
      );
      expect(answers.map((answer) => text((answer as RedisReply[])[2] as Buffer))).toEqual(
        Array.from({ length: 200 }, (_, index) => String(index)),
      );
    });

    test('rejects with the first word of an error reply', async () => {
      await link.command('SET', ['text'], ['x']);
      expect(await rejection(link.command('LPUSH', ['text'], ['x']))).toMatchObject({
        code: 'ERR_WEIR_REDIS_REPLY',
        reply: 'WRONGTYPE',
      });
      expect(await rejection(link.script(fails, ['k'], []))).toMatchObject({
        code: 'ERR_WEIR_REDIS_REPLY',
        reply: 'WEIR',
      });
      expect(await rejection(link.command('NOSUCHCOMMAND', ['k'], []))).toMatchObject({
        code: 'ERR_WEIR_REDIS_REPLY',
        reply: 'ERR',
      });
    });

    test.runIf(topology === 'single')('rejects what access rules forbid with their word', async () => {
      await link.command('ACL', [], ['SETUSER', 'default', '-lastsave']);
      try {
        expect(await rejection(link.command('LASTSAVE', []))).toMatchObject({ reply: 'NOPERM' });
      } finally {
        await link.command('ACL', [], ['SETUSER', 'default', '+lastsave']);
      }
    });

    test.runIf(topology === 'cluster')('rejects a script over two slots with a code of its own', async () => {
      expect(await rejection(link.script(echo, ['a', 'b'], ['1', '2']))).toMatchObject({
        code: 'ERR_WEIR_REDIS_CROSSSLOT',
      });
    });

    test.runIf(kind.library !== 'valkey-glide')(
      'puts the key prefix before keys, and only once',
      async () => {
        const prefixed = await connect({ keyPrefix: 'app:' });
        try {
          expect(prefixed.link.keyPrefix).toBe('app:');
          await prefixed.link.command('SET', ['same'], ['value']);
          expect(text(await link.command('GET', ['app:same']))).toBe('value');
          const [, key] = (await prefixed.link.script(echo, ['same'], ['', ''])) as RedisReply[];
          expect(text(key as Buffer)).toBe('app:same');
        } finally {
          await prefixed.close();
        }
      },
    );

    test('receives binary messages on a connection of its own', async () => {
      const got = Promise.withResolvers<[string, Buffer]>();
      const ready = Promise.withResolvers<void>();
      const subscription = link.subscribe({
        channels: ['news', 'other'],
        trackedPrefixes: [],
        pingMs: 1_000,
        events: {
          onReady: () => ready.resolve(),
          onLost: () => {},
          onMessage: (channel, message) => got.resolve([channel, message]),
          onTracked: () => {},
        },
      });
      try {
        await ready.promise;
        await link.command('PUBLISH', [], ['news', binary]);
        expect(await got.promise).toEqual(['news', binary]);
      } finally {
        subscription.close();
      }
    });

    test.runIf(kind.library !== 'valkey-glide')(
      'reports keys of the tracked prefixes that change',
      async () => {
        const changed = new Set<string>();
        const both = Promise.withResolvers<void>();
        const flushed = Promise.withResolvers<void>();
        const ready = Promise.withResolvers<boolean>();
        const subscription = link.subscribe({
          channels: ['bus'],
          trackedPrefixes: ['tracked:', 'also:'],
          pingMs: 1_000,
          events: {
            onReady: (tracks) => ready.resolve(tracks),
            onLost: () => {},
            onMessage: () => {},
            onTracked: (keys) => {
              if (keys === undefined) flushed.resolve();
              for (const key of keys ?? []) changed.add(String(key));
              if (changed.size === 2) both.resolve();
            },
          },
        });
        try {
          expect(await ready.promise).toBe(true);
          await link.command('SET', ['untracked:1'], ['x']);
          await link.command('SET', ['tracked:1'], ['x']);
          await link.command('SET', ['also:1'], ['x']);
          await both.promise;
          expect([...changed].sort()).toEqual(['also:1', 'tracked:1']);
          if (topology === 'single') {
            await link.command('FLUSHALL', [], []);
            await flushed.promise;
          }
        } finally {
          subscription.close();
        }
      },
    );
  });

  test('subscribes again, and says so, when the server was restarted', async () => {
    const own = await startRedis();
    const client = await kind.single(own);
    const events: string[] = [];
    let next = Promise.withResolvers<void>();
    const until = async (event: string): Promise<void> => {
      while (events.at(-1) !== event) await next.promise;
    };
    const note = (event: string): void => {
      events.push(event);
      next.resolve();
      next = Promise.withResolvers<void>();
    };
    const subscription = client.link.subscribe({
      channels: ['news'],
      trackedPrefixes: kind.library === 'valkey-glide' ? [] : ['k'],
      pingMs: 200,
      events: {
        onReady: (tracks) => note(`ready ${tracks}`),
        onLost: () => note('lost'),
        onMessage: (_, message) => note(`message ${message}`),
        onTracked: (keys) => note(`tracked ${keys?.join()}`),
      },
    });
    const tracks = kind.library !== 'valkey-glide';
    try {
      await until(`ready ${tracks}`);
      await own.kill();
      await until('lost');
      const again = await startRedis({ port: own.port });
      try {
        await until(`ready ${tracks}`);
        const other = await kind.single(again);
        await other.link.command('PUBLISH', [], ['news', 'again']);
        await until('message again');
        if (tracks) {
          await other.link.command('SET', ['key'], ['x']);
          await until('tracked key');
        }
        await other.close();
      } finally {
        await again.stop();
      }
    } finally {
      subscription.close();
      await client.close();
      await own.stop();
    }
  });

  test('reports a refused subscription, tries it again, and is ready once it is permitted', async () => {
    const own = await startRedis();
    const client = await kind.single(own);
    const events: string[] = [];
    const refused = Promise.withResolvers<RedisError>();
    const ready = Promise.withResolvers<void>();
    await client.link.command('ACL', [], ['SETUSER', 'default', 'resetchannels']);
    const subscription = client.link.subscribe({
      channels: ['news'],
      trackedPrefixes: [],
      pingMs: 200,
      events: {
        onReady: () => {
          events.push('ready');
          ready.resolve();
        },
        onLost: () => events.push('lost'),
        onMessage: () => {},
        onTracked: () => {},
        onRefused: (what, error) => {
          events.push(`refused ${what}`);
          refused.resolve(error);
        },
      },
    });
    try {
      const { reply } = await refused.promise;
      // GLIDE does not tell why it cannot subscribe.
      if (kind.library !== 'valkey-glide') expect(reply).toBe('NOPERM');
      expect(events).toEqual(['refused messages']);
      await client.link.command('ACL', [], ['SETUSER', 'default', 'allchannels']);
      await ready.promise;
      expect(new Set(events)).toEqual(new Set(['refused messages', 'ready']));
    } finally {
      subscription.close();
      await client.close();
      await own.stop();
    }
  });

  test.runIf(kind.library !== 'valkey-glide')(
    'carries messages alone where tracking is refused',
    async () => {
      const own = await startRedis();
      const client = await kind.single(own);
      const refused: string[] = [];
      const ready = Promise.withResolvers<boolean>();
      await client.link.command('ACL', [], ['SETUSER', 'default', '-client|tracking']);
      const subscription = client.link.subscribe({
        channels: ['news'],
        trackedPrefixes: ['k'],
        pingMs: 200,
        events: {
          onReady: (tracks) => ready.resolve(tracks),
          onLost: () => {},
          onMessage: () => {},
          onTracked: () => {},
          onRefused: (what, { reply }) => refused.push(`${what} ${reply}`),
        },
      });
      try {
        expect(await ready.promise).toBe(false);
        expect(refused).toEqual(['tracking NOPERM']);
      } finally {
        subscription.close();
        await client.close();
        await own.stop();
      }
    },
  );

  test('counts the losses of its connection, and knows its database', async () => {
    const own = await startRedis();
    const client = await kind.single(own);
    try {
      expect([client.link.losses, client.link.database()]).toEqual([0, 0]);
      if (kind.library === 'valkey-glide') return;
      const lost = Promise.withResolvers<void>();
      client.link.watch((now) => now === 'lost' && lost.resolve());
      await own.kill();
      await lost.promise;
      expect(client.link.losses).toBeGreaterThan(0);
    } finally {
      await client.close();
      await own.stop();
    }
  });

  test('rejects what is under way when the server dies, or sends it again with the arguments of then', async () => {
    const own = await startRedis();
    const client = await kind.single(own);
    const { link } = client;
    const argument = Buffer.from('first');
    const lost = Promise.withResolvers<void>();
    const stop = link.watch((now) => {
      if (now === 'lost') lost.resolve();
    });
    try {
      await link.command('GET', ['k']);
      own.pause();
      const call = link.command('APPEND', ['k'], [argument]).catch((error: RedisError) => error);
      // The next turns of the event loop write it; the frozen server has it in its socket.
      await new Promise(setImmediate);
      await own.kill();
      if (kind.library !== 'valkey-glide') {
        await lost.promise;
        argument.write('again');
        expect(link.state()).toBe('lost');
      }
      const again = await startRedis({ port: own.port });
      try {
        const outcome = await call;
        const value = await link.command('GET', ['k']);
        // ioredis sends it again; the others reject what they had written. GLIDE may not have written it yet, and does so then.
        if (kind.library === 'ioredis') expect([outcome, value]).toEqual([5, Buffer.from('again')]);
        else if (kind.library === 'valkey-glide' && outcome === 5)
          expect(value).toEqual(Buffer.from('first'));
        else {
          expect((outcome as RedisError).code).toMatch(/_LOST|_TIMEOUT/);
          expect(value).toBeNull();
        }
      } finally {
        await again.stop();
      }
    } finally {
      stop();
      await client.close();
      await own.stop();
    }
  });

  test('rejects with one code after the caller has closed the client', async () => {
    const client = await kind.single(server);
    await client.link.command('GET', ['k']);
    await client.close();
    expect(await rejection(client.link.command('GET', ['k']))).toMatchObject({
      code: 'ERR_WEIR_REDIS_CLOSED',
    });
    expect(client.link.state()).toBe('closed');
  });
});

test('a decorated link passes every command and script through its function', async () => {
  const client = await (clientKinds[0] as ClientKind).single(server);
  const seen: string[] = [];
  const link = decorateLink(client.link, async (send, keys, args) => {
    seen.push(`${keys} ${args}`);
    const reply = await send();
    if (args[0] === 'lost') throw new Error('lost');
    return reply;
  });
  await link.command('SET', ['decorated'], ['lost']).catch(({ message }: Error) => seen.push(message));
  expect(String(await link.command('GET', ['decorated']))).toBe('lost');
  await link.script(echo, ['k'], ['a', 'b']);
  expect(seen).toEqual(['decorated lost', 'lost', 'decorated ', 'k a,b']);
  expect([link.state(), link.losses, link.database()]).toEqual(['ready', 0, 0]);
  await client.close();
});

test('a GLIDE client alone reports that it cannot carry messages', async () => {
  const client = await GlideClient.createClient({ addresses: [{ host: '127.0.0.1', port: server.port }] });
  const refused = Promise.withResolvers<RedisError>();
  const subscription = linkOf(client).subscribe({
    channels: ['news'],
    trackedPrefixes: [],
    pingMs: 1_000,
    events: {
      onReady: () => {},
      onLost: () => {},
      onMessage: () => {},
      onTracked: () => {},
      onRefused: (_, error) => refused.resolve(error),
    },
  });
  expect(await refused.promise).toMatchObject({ code: 'ERR_WEIR_REDIS_INVALID_CLIENT' });
  subscription.close();
  client.close();
});

test('knows the database that the options of its client name', async () => {
  const ioredis = new Redis(server.port, '127.0.0.1', { db: 3 });
  const nodeRedis = createClient({ url: `${server.url}/5` });
  await nodeRedis.connect();
  expect([linkOf(ioredis).database(), linkOf(nodeRedis).database()]).toEqual([3, 5]);
  await ioredis.select(4);
  expect(linkOf(ioredis).database()).toBe(4);
  ioredis.disconnect();
  nodeRedis.destroy();
});

test.each([undefined, null, {}, 'redis://127.0.0.1', { get: () => {} }])(
  'refuses %o as a client',
  (client) => {
    expect(() => linkOf(client as never)).toThrowError(
      expect.objectContaining({ code: 'ERR_WEIR_REDIS_INVALID_CLIENT' }),
    );
  },
);

async function flushScripts(port: number): Promise<void> {
  const node = new Redis({ host: '127.0.0.1', port });
  await node.script('FLUSH');
  node.disconnect();
}
