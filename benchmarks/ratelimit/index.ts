/**
 * Rate limiting against its peers. Rounds are interleaved; figures are medians, ratios are medians of per-round ratios
 * against the first contender. Counters assert that everyone admitted the same before anything is timed.
 */
import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import os from 'node:os';
import { startRedis } from '@weir/test-kit';
import { Redis } from 'ioredis';
import { measureMemory } from './memory.ts';
import { type Contender, memoryContenders, redisContenders } from './peers.ts';

interface Figure {
  readonly opsPerSecond: number;
  readonly ratio: number;
  readonly spread: number;
}

type Table = Record<string, Figure>;

/** Runs everything (about two minutes), or with `--quick` a tenth of it, and writes JSON with `--json <file>`. */
export async function run(args: string[]): Promise<void> {
  const quick = args.includes('--quick');
  const rounds = quick ? 3 : 9;
  const scale = quick ? 0.1 : 1;
  const results: Record<string, unknown> = { environment: environment() };

  for (const [name, limit] of [
    ['memory, allowed', 1_000_000],
    ['memory, denied', 1],
  ] as const) {
    const contenders = memoryContenders(limit);
    const keys = Array.from({ length: 10_000 }, (_, index) => `client-${index}`);
    if (limit === 1) await warm(contenders, keys);
    // Bottleneck queues what is above the limit in place of denying it, and is too slow for the same count.
    const timed = contenders.filter((contender) => contender.name !== 'bottleneck');
    results[name] = await compare(timed, keys, 100, Math.floor(100_000 * scale), rounds * 3);
    if (limit > 1) {
      const slow = contenders.filter((contender) => contender.name === 'bottleneck');
      const table = await compare(slow, keys.slice(0, 200), 100, 1000, 3);
      results['memory, bottleneck alone'] = table;
    }
    for (const contender of contenders) await contender.close?.();
    print(name, results[name] as Table);
  }

  results['bytes a key and insert stalls'] = measureMemory(quick ? 100_000 : 1_000_000);
  console.log('\nbytes a key, longest insertion (ms)\n', results['bytes a key and insert stalls']);

  const server = await startRedis();
  const redis = new Redis(server.url);
  for (const [name, keyCount, inFlight, count] of [
    ['redis, 10,000 keys, 100 in flight', 10_000, 100, 20_000],
    // Leases pay where keys come back: here each key comes 20 and 200 times a round, above only twice.
    ['redis, 1000 keys, 100 in flight', 1000, 100, 20_000],
    ['redis, 100 keys, 100 in flight', 100, 100, 20_000],
    ['redis, one hot key, 100 in flight', 1, 100, 20_000],
    ['redis, one request at a time', 1000, 1, 3000],
  ] as const) {
    const contenders = redisContenders(redis, 1_000_000);
    const keys = Array.from({ length: keyCount }, (_, index) => `${name.length}-${index}`);
    await assertEqualWork(contenders, redis);
    results[name] = await compare(contenders, keys, inFlight, Math.floor(count * scale), rounds);
    for (const contender of contenders) await contender.close?.();
    print(name, results[name] as Table, 'rate-limiter-flexible');
  }
  redis.disconnect();
  await server.stop();

  const file = args[args.indexOf('--json') + 1];
  if (args.includes('--json') && file !== undefined) {
    await mkdir(new URL('../results/', import.meta.url), { recursive: true });
    await writeFile(file, `${JSON.stringify(results, undefined, 2)}\n`);
  }
}

async function warm(contenders: readonly Contender[], keys: readonly string[]): Promise<void> {
  for (const contender of contenders.filter(({ name }) => name !== 'bottleneck')) {
    for (const key of keys) await contender.consume(key);
  }
}

/** Everyone must admit exactly `limit` of one key. */
async function assertEqualWork(contenders: readonly Contender[], redis: Redis): Promise<void> {
  for (const limit of [20]) {
    for (const { name, consume, close } of redisContenders(redis, limit)) {
      const decisions = await Promise.all(Array.from({ length: 50 }, () => consume(`equal-${name}`)));
      const admitted = decisions.filter(Boolean).length;
      if (admitted !== limit) throw new Error(`${name} admitted ${admitted} of ${limit}`);
      await close?.();
    }
  }
  if (contenders.length === 0) throw new Error('Nothing to measure');
  await redis.flushall();
}

async function compare(
  contenders: readonly Contender[],
  keys: readonly string[],
  inFlight: number,
  count: number,
  rounds: number,
): Promise<Table> {
  const rates = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
  // Three rounds warm everyone up: what is timed is compiled code.
  for (let round = -3; round < rounds; round++) {
    for (const contender of contenders) {
      const rate = await timeOne(contender, keys, inFlight, count);
      if (round >= 0) rates.get(contender.name)?.push(rate);
    }
  }
  const first = rates.get((contenders[0] as Contender).name) as number[];
  return Object.fromEntries(
    [...rates].map(([name, list]) => {
      const ratio = median(list.map((rate, round) => rate / (first[round] as number)));
      const sorted = [...list].sort((a, b) => a - b);
      const spread = ((sorted.at(-1) as number) - (sorted[0] as number)) / median(list);
      return [name, { opsPerSecond: Math.round(median(list)), ratio: round2(ratio), spread: round2(spread) }];
    }),
  );
}

/** Keeps `inFlight` requests going until `count` are done. */
async function timeOne(
  contender: Contender,
  keys: readonly string[],
  inFlight: number,
  count: number,
): Promise<number> {
  let next = 0;
  const started = performance.now();
  const worker = async (): Promise<void> => {
    while (next < count) await contender.consume(keys[next++ % keys.length] as string);
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  return (count / (performance.now() - started)) * 1000;
}

function print(title: string, table: Table, base?: string): void {
  console.log(`\n${title}`);
  const reference = base === undefined ? undefined : table[base];
  for (const [name, { opsPerSecond, ratio, spread }] of Object.entries(table)) {
    const against = reference === undefined ? ratio : round2(opsPerSecond / reference.opsPerSecond);
    console.log(
      `  ${name.padEnd(28)} ${String(opsPerSecond).padStart(9)}/s  × ${against}  (spread ${spread})`,
    );
  }
}

function environment(): object {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  return { node: process.version, cpu: os.cpus()[0]?.model, cores: os.cpus().length, commit };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] as number;
}

function round2(value: number): number {
  return Math.round(value * 100) / 100;
}
