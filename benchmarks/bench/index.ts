/** `pnpm bench:peers bench [rounds]`: the generator against autocannon and wrk, interleaved, on the same server. */
import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { hasWrk, type Measured, measure, measureWrk, startServer } from './subjects.ts';

/** Rounds of each comparison; the default takes about five minutes on two processors. */
export async function run(args: string[]): Promise<void> {
  const rounds = Number(args[0] ?? 5);
  if (!Number.isInteger(rounds) || rounds < 1 || availableParallelism() < 2 || process.platform !== 'linux') {
    console.error('Usage: pnpm bench:peers bench [rounds], on Linux with two processors and taskset');
    process.exitCode = 64;
    return;
  }
  const results = {
    environment: { node: process.versions.node, cpu: cpus()[0]?.model ?? '', cores: availableParallelism() },
    speed: await speed(rounds),
    stall: await stall(),
    rate: await rate(),
  };
  const directory = join(import.meta.dirname, '../results');
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'bench.json'), `${JSON.stringify(results, null, 2)}\n`);
}

/** Closed loop at full speed: answers a second and processor time a request. */
async function speed(rounds: number): Promise<Record<string, { perSecond: number; cpuUs: number }>> {
  const rows: Record<string, Measured[]> = {
    '@weir/bench': [],
    autocannon: [],
    ...(hasWrk() ? { wrk: [] } : {}),
  };
  const load = { seconds: 4, connections: 50 };
  for (let round = 0; round < rounds; round += 1) {
    for (const name of Object.keys(rows)) {
      const server = await startServer();
      const measured = await (name === 'wrk'
        ? measureWrk(server.origin, load)
        : measure(name === 'autocannon' ? 'autocannon' : 'weir', server.origin, load));
      rows[name]?.push(measured);
      await server.stop();
    }
  }
  const table = Object.fromEntries(
    Object.entries(rows).map(([name, measured]) => [
      name,
      {
        perSecond: Math.round(median(measured.map((row) => row.perSecond))),
        cpuUs: round2(median(measured.map((row) => row.cpuUs ?? 0))),
      },
    ]),
  );
  console.log('Closed loop, 50 connections');
  console.table(table);
  return table;
}

/** One stall of two seconds in ten, at 1,000 requests a second. */
async function stall(): Promise<Record<string, { p50: number; p90: number; p99: number }>> {
  const env = { STALL_AFTER: '4000', STALL_MS: '2000' };
  const load = { seconds: 10, connections: 50 };
  // Requests due in the stall wait for the rest of it: a fifth of all, evenly from 0 to 2,000 ms.
  const table: Record<string, { p50: number; p90: number; p99: number }> = {
    'exact (above the service time)': { p50: 0, p90: 1_000, p99: 1_900 },
  };
  const tools: readonly (readonly [string, (url: string) => Promise<Measured>])[] = [
    ['@weir/bench, open loop', (url) => measure('weir', url, { ...load, connections: 3_000, rate: 1_000 })],
    ['autocannon -R', (url) => measure('autocannon', url, { ...load, rate: 1_000 })],
    ['autocannon, closed loop', (url) => measure('autocannon', url, load)],
    ...(hasWrk() ? [['wrk, closed loop', (url: string) => measureWrk(url, load)] as const] : []),
  ];
  for (const [name, tool] of tools) {
    const server = await startServer(env);
    const { p50, p90, p99 } = await tool(server.origin);
    table[name] = { p50: round2(p50), p90: round2(p90), p99: round2(p99) };
    await server.stop();
  }
  console.log('A stall of two seconds in ten, latency in ms');
  console.table(table);
  return table;
}

/** Even arrivals as the server sees them, and 10,000 a second from one processor. */
async function rate(): Promise<Record<string, object>> {
  const table: Record<string, object> = {};
  for (const [name, tool, perSecond] of [
    ['@weir/bench at 1,000/s', 'weir', 1_000],
    ['autocannon -R 1000', 'autocannon', 1_000],
    ['@weir/bench at 10,000/s', 'weir', 10_000],
  ] as const) {
    const server = await startServer({ ARRIVALS: '1' });
    const load = { seconds: 5, connections: 50, rate: perSecond, warmupMs: 2_000 };
    const measured = await measure(tool, server.origin, load);
    const arrivals = (await (await fetch(`${server.origin}/report`)).json()) as number[];
    await server.stop();
    const perSlot = countPerSlot(arrivals, 100);
    table[name] = {
      'answered/s': Math.round(measured.perSecond),
      'fewest in 100 ms': Math.min(...perSlot),
      'most in 100 ms': Math.max(...perSlot),
      'late, reported': measured.arrivals?.late ?? null,
      'latest ms': measured.arrivals?.latestMs ?? null,
    };
  }
  console.log('Arrivals as the server sees them');
  console.table(table);
  return table;
}

/** Arrivals in each whole slot, the first and the last left out. */
function countPerSlot(arrivals: readonly number[], slotMs: number): number[] {
  const first = arrivals[0] ?? 0;
  const counts: number[] = [];
  for (const at of arrivals) {
    const slot = Math.floor((at - first) / slotMs);
    counts[slot] = (counts[slot] ?? 0) + 1;
  }
  return Array.from(counts, (count) => count ?? 0).slice(1, -1);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}

function round2(value: number): number {
  return Math.round(value * 100) / 100;
}
