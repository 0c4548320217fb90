/**
 * Rate limiting against its peers. Rounds are interleaved; figures are medians, ratios are medians of per-round ratios
 * against the base that the table names. Everyone must answer every timed request as expected.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import os from 'node:os';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { startRedis } from '@weir/test-kit';
import { Redis } from 'ioredis';
import { compare, print } from './compare.ts';
import { type Contender, windowMs } from './contender.ts';
import { measureMemory } from './memory.ts';
import { bottleneckContender, memoryContenders } from './memory-peers.ts';
import { deniedContenders, hotContenders, redisContenders } from './redis-peers.ts';

/** More than all rounds together ask of one key: nothing is denied. */
const AMPLE = 1_000_000;
const MINIMAL = 'minimal GCRA on a Map';
const FLEXIBLE = 'rate-limiter-flexible';

interface Effort {
  readonly scale: number;
  readonly rounds: number;
}

type Results = Record<string, unknown>;

/**
 * Runs everything (about three minutes), or with `--quick` a tenth of it; `--only memory` or `--only redis` runs a part.
 * Writes JSON with `--json <file>`, beside what the file holds of the other part.
 */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: { quick: { type: 'boolean' }, only: { type: 'string' }, json: { type: 'string' } },
  });
  const { quick, only, json } = values;
  if (only !== undefined && only !== 'memory' && only !== 'redis') throw new Error('--only memory | redis');
  const effort: Effort = quick ? { scale: 0.1, rounds: 3 } : { scale: 1, rounds: 9 };
  const results: Results = {};
  if (only !== 'redis') {
    results['memory, environment'] = environment();
    await inMemory(results, effort);
    results['memory, bytes a key'] = await measureMemory(1_000_000 * effort.scale);
    console.log('\nbytes a key, longest insertion (ms)\n', results['memory, bytes a key']);
  }
  if (only !== 'memory') {
    results['redis, environment'] = environment();
    await onRedis(results, effort);
  }
  if (json === undefined) return;
  await mkdir(dirname(json), { recursive: true });
  const other = only === undefined ? {} : await partOf(json, only === 'memory' ? 'redis' : 'memory');
  const [first, second] = only === 'redis' ? [other, results] : [results, other];
  await writeFile(json, `${JSON.stringify({ ...first, ...second }, undefined, 2)}\n`);
}

/** What an earlier run wrote of a part. */
async function partOf(file: string, part: string): Promise<Results> {
  if (!existsSync(file)) return {};
  const all = JSON.parse(await readFile(file, 'utf8')) as Results;
  return Object.fromEntries(Object.entries(all).filter(([name]) => name.startsWith(part)));
}

async function inMemory(results: Results, { scale, rounds }: Effort): Promise<void> {
  const shape = { inFlight: 100, requests: 100_000 * scale, rounds: rounds * 3, base: MINIMAL };
  for (const [name, keyCount, allowed] of [
    ['memory, allowed', 10_000, true],
    ['memory, denied', 10_000, false],
    // More than weir holds by name.
    ['memory, 100,000 keys, allowed', 100_000, true],
    ['memory, 100,000 keys, denied', 100_000, false],
  ] as const) {
    const keys = Array.from({ length: keyCount }, (_, index) => `client-${index}`);
    const contenders = memoryContenders(allowed ? AMPLE : 1, keys.length);
    if (!allowed) await useUp(contenders, keys);
    const comparison = await compare(contenders, { ...shape, keys, allowed });
    print(name, comparison);
    results[name] = comparison;
    await closeAll(contenders);
  }
  // Four hundred times slower than the rest: on its own, with fewer requests.
  const alone = [bottleneckContender(AMPLE)];
  const keys = Array.from({ length: 200 }, (_, index) => `client-${index}`);
  const few = { ...shape, keys, requests: 1000, rounds: 3 };
  const comparison = await compare(alone, { ...few, base: 'bottleneck', allowed: true });
  print('memory, bottleneck alone', comparison);
  results['memory, bottleneck alone'] = comparison;
  await closeAll(alone);
}

async function onRedis(results: Results, { scale, rounds }: Effort): Promise<void> {
  const server = await startRedis();
  const redis = new Redis(server.url);
  const shape = { rounds, base: FLEXIBLE };
  for (const [name, keyCount, inFlight, requests, allowed] of [
    // Each key twice a round: nothing that is taken ahead can pay.
    ['redis, 10,000 keys, 100 in flight', 10_000, 100, 20_000, true],
    // Each key 40 and 200 times a round.
    ['redis, 1000 keys, 100 in flight', 1000, 100, 40_000, true],
    ['redis, 100 keys, 100 in flight', 100, 100, 20_000, true],
    ['redis, one hot key, 100 in flight', 1, 100, 40_000, true],
    ['redis, one hot key, 1000 in flight', 1, 1000, 60_000, true],
    ['redis, one request at a time', 1000, 1, 3000, true],
    ['redis, denied, 1000 keys, 100 in flight', 1000, 100, 20_000, false],
  ] as const) {
    await assertEqualWork(redis);
    const keys = Array.from({ length: keyCount }, (_, index) => `${name.length}-${index}`);
    const allowing = keyCount === 1 ? hotContenders : redisContenders;
    const contenders = allowed ? allowing(redis, AMPLE) : deniedContenders(redis, 1);
    if (!allowed) await useUp(contenders, keys);
    const comparison = await compare(contenders, {
      ...shape,
      keys,
      inFlight,
      requests: requests * scale,
      allowed,
    });
    print(name, comparison);
    results[name] = comparison;
    await closeAll(contenders);
  }
  redis.disconnect();
  await server.stop();
}

async function useUp(contenders: readonly Contender[], keys: readonly string[]): Promise<void> {
  for (const { consume } of contenders) await Promise.all(keys.map((key) => consume(key)));
}

async function closeAll(contenders: readonly Contender[]): Promise<void> {
  for (const contender of contenders) await contender.close?.();
}

/** Everyone must admit exactly the limit of one key, and then nothing, before anything is timed. */
async function assertEqualWork(redis: Redis): Promise<void> {
  const limit = 20;
  for (const create of [hotContenders, deniedContenders]) {
    const contenders = create(redis, limit);
    for (const { name, consume } of contenders) {
      const decisions = await Promise.all(Array.from({ length: 50 }, () => consume('equal')));
      const admitted = decisions.filter(Boolean).length;
      if (admitted !== limit) throw new Error(`${name} admitted ${admitted} of ${limit}`);
    }
    await closeAll(contenders);
    await redis.flushall();
  }
}

function environment(): object {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  return { node: process.version, cpu: os.cpus()[0]?.model, cores: os.cpus().length, commit, windowMs };
}
