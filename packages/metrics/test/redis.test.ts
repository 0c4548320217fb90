import { startRedis } from '@weir/test-kit';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMetrics } from '../src/index.ts';
import { samplesOf } from './samples.ts';

let server: Awaited<ReturnType<typeof startRedis>>;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

/** Blocking commands with their shortest wait, and their names. */
const waiting: readonly (readonly [string, ...string[]])[] = [
  ['BLPOP', 'none', '0.01'],
  ['brpop', 'none', '0.01'],
  ['BLMOVE', 'none', 'other', 'LEFT', 'RIGHT', '0.01'],
  ['BRPOPLPUSH', 'none', 'other', '0.01'],
  ['BZPOPMIN', 'none', '0.01'],
  ['BZPOPMAX', 'none', '0.01'],
  ['XREAD', 'BLOCK', '10', 'STREAMS', 'none', '0'],
  ['XREAD', 'COUNT', '5', 'block', '10', 'STREAMS', 'none', '0'],
  ['XREADGROUP', 'GROUP', 'BLOCK', 'streams', 'BLOCK', '10', 'STREAMS', 'stream', '>'],
  ['WAIT', '1', '10'],
];
const working: readonly (readonly [string, ...string[]])[] = [
  ['GET', 'BLOCK'],
  ['XREAD', 'STREAMS', 'BLOCK', '0'],
  ['XREADGROUP', 'GROUP', 'BLOCK', 'BLOCK', 'COUNT', '1', 'STREAMS', 'stream', '>'],
  ['LPOP', 'none'],
];

const clients = {
  ioredis: () => {
    const redis = new Redis(server.url);
    const send = ([name, ...args]: readonly [string, ...string[]]): Promise<unknown> =>
      redis.call(name, ...args);
    return { redis, send, open: async () => {}, close: () => redis.disconnect() };
  },
  'node-redis': () => {
    const redis = createClient({ url: server.url });
    const send = (words: readonly string[]): Promise<unknown> => redis.sendCommand([...words]);
    return {
      redis,
      send,
      open: async () => {
        await redis.connect();
      },
      close: () => redis.destroy(),
    };
  },
} as const;

test.each(Object.entries(clients))(
  '%s: a command that is meant to wait is timed but never slow, any other is',
  async (_name, make) => {
    const slow: string[] = [];
    const metrics = createMetrics({
      service: 'test',
      runtime: false,
      db: { slowQueryMs: 0, onSlowQuery: ({ statement }) => slow.push(statement) },
    });
    const { redis, send, open, close } = make();
    metrics.instrument(redis);
    await open();
    await send(['DEL', 'stream']);
    await send(['XGROUP', 'CREATE', 'stream', 'BLOCK', '$', 'MKSTREAM']);
    slow.length = 0;
    for (const words of waiting) await send(words);
    expect(slow).toEqual([]);
    for (const words of working) await send(words);
    expect(slow).toEqual(working.map(([name]) => name));
    const counts = [...(await samplesOf(metrics))].filter(([name]) =>
      /_count\{.*"(?:BLPOP|XREAD(?:GROUP)? BLOCK)"/.test(name),
    );
    expect(counts.map(([, count]) => count)).toEqual([1, 2, 1]);
    close();
    await metrics.close();
  },
);
