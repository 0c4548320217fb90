import { setTimeout as delay } from 'node:timers/promises';
import { seedCounts } from './seed.ts';

export type ConditionName =
  | 'cache-outage'
  | 'hit-ratio-collapse'
  | 'limiter-outage'
  | 'limiter-denial'
  | 'n-plus-one'
  | 'slow-query'
  | 'pool-exhaustion'
  | 'overload';

export interface ProvokeOptions {
  /** Origin of the shop. */
  target: string;
  /** The Redis to be frozen and thawed: what `startRedis` of the test kit gives. The outages need it. */
  redis?: { pause(): void; resume(): void };
  /** Ends the condition: Redis is thawed and requests under way are dropped. */
  signal: AbortSignal;
}

/** Answers by status code; `error` counts requests without one. */
export type ConditionReport = Readonly<Record<string, number>>;

interface Condition {
  /** What shows, and where. */
  readonly what: string;
  readonly needsRedis?: true;
  /** Requests at once, each worker sending its next when the last was answered. */
  readonly workers: number;
  /** Pause of a worker between requests, in ms; 0 goes as fast as the shop answers. */
  readonly pauseMs: number;
  /** Path of the `index`-th request, over all workers. */
  readonly path: (index: number) => string;
  readonly client?: string;
}

/** Each page once, in steps that visit the whole catalogue: never in memory, so that Redis and the database are asked. */
const coldPage = (index: number) => `/products/${1 + ((index * 7919) % seedCounts.products)}`;

/** What can be provoked. Only `overload` and `pool-exhaustion` go as fast as they can, bounded by their workers. */
export const conditions: Readonly<Record<ConditionName, Condition>> = Object.freeze({
  'cache-outage': {
    what: 'the Redis of the cache freezes: its operations time out, the breaker opens, loads go to the database; no request fails',
    needsRedis: true,
    workers: 1,
    pauseMs: 100,
    path: coldPage,
  },
  'hit-ratio-collapse': {
    what: 'a crawler visits every page once: most reads miss, the database bears the difference',
    workers: 4,
    pauseMs: 20,
    path: coldPage,
  },
  'limiter-outage': {
    what: 'the Redis of the limits freezes: the search limiter decides without it, with the source `open`; no request fails',
    needsRedis: true,
    workers: 2,
    pauseMs: 250,
    path: () => '/search?q=oak',
    client: '203.0.113.50',
  },
  'limiter-denial': {
    what: 'one client searches twenty times a second where two are allowed: 429, denials by the policy `per-client`',
    workers: 1,
    pauseMs: 50,
    path: () => '/search?q=steel+lamp',
    client: '203.0.113.51',
  },
  'n-plus-one': {
    what: 'a request repeats one statement for each of 25 orders',
    workers: 1,
    pauseMs: 250,
    path: () => '/flaws/n-plus-one',
  },
  'slow-query': {
    what: 'a statement reads a table of 300,000 rows a dozen times for want of an index',
    workers: 1,
    pauseMs: 500,
    path: () => '/flaws/unindexed?category=lamps',
  },
  'pool-exhaustion': {
    what: 'requests hold a connection while they wait for something else, more of them than the pool has: callers wait',
    workers: 14,
    pauseMs: 0,
    path: () => '/flaws/holding',
  },
  overload: {
    what: 'requests that block the event loop come faster than it frees itself: it saturates, latency of all rises, load is shed',
    workers: 16,
    pauseMs: 0,
    path: () => '/flaws/blocking',
  },
});

const requestTimeoutMs = 10_000;

/**
 * Provokes a condition until `signal` aborts and resolves with the answers. Rejects with a `TypeError` when the condition
 * freezes Redis and none was given.
 */
export async function provoke(name: ConditionName, options: ProvokeOptions): Promise<ConditionReport> {
  const { target, redis, signal } = options;
  const condition = conditions[name];
  if (condition.needsRedis && redis === undefined) {
    throw new TypeError(
      `Expected \`redis\` to provoke ${name}: it freezes the shop's Redis. Give what \`startRedis\` returned.`,
    );
  }
  const report: Record<string, number> = {};
  let index = 0;

  async function work(): Promise<void> {
    while (!signal.aborted) {
      const path = condition.path(index++);
      const status = await ask(new URL(path, target), condition.client, signal);
      if (status === undefined) return;
      report[status] = (report[status] ?? 0) + 1;
      if (condition.pauseMs > 0 || status === 'error') {
        await delay(Math.max(condition.pauseMs, 50), undefined, { signal }).catch(() => {});
      }
    }
  }

  if (condition.needsRedis) redis?.pause();
  try {
    await Promise.all(Array.from({ length: condition.workers }, work));
  } finally {
    if (condition.needsRedis) redis?.resume();
  }
  return report;
}

/** The status, `error` where there was no answer, or `undefined` once `signal` has ended the condition. */
async function ask(url: URL, client: string | undefined, signal: AbortSignal): Promise<string | undefined> {
  try {
    const response = await fetch(url, {
      headers: { 'user-agent': 'weir-shop-conditions', 'x-forwarded-for': client ?? '203.0.113.60' },
      signal: AbortSignal.any([signal, AbortSignal.timeout(requestTimeoutMs)]),
    });
    await response.arrayBuffer();
    return String(response.status);
  } catch {
    return signal.aborted ? undefined : 'error';
  }
}
