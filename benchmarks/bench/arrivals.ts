import { measure, startServer } from './subjects.ts';

const seconds = 5;
const warmupMs = 2_000;

/** Even arrivals as the server sees them, 10,000 a second from one processor, and whether every late one is told. */
export async function arrivals(): Promise<Record<string, object>> {
  const table: Record<string, object> = {};
  for (const [name, tool, rate] of [
    ['@weir/bench at 1,000/s', 'weir', 1_000],
    ['autocannon -R 1000', 'autocannon', 1_000],
    ['@weir/bench at 10,000/s', 'weir', 10_000],
  ] as const) {
    const server = await startServer({ ARRIVALS: '1' });
    const load = {
      seconds,
      rate,
      ...(tool === 'weir' ? { connections: 500, warmupMs, audit: true } : { connections: 50 }),
    };
    const measured = await measure(tool, server.origin, load);
    const seen = (await (await fetch(`${server.origin}/report`)).json()) as number[];
    await server.stop();
    const [first = 0] = seen;
    const perSlot = countPerSlot(
      seen.filter((at) => tool !== 'weir' || at >= first + warmupMs),
      100,
    );
    table[name] = {
      'answered/s': Math.round(measured.perSecond),
      'fewest in 100 ms': Math.min(...perSlot),
      'most in 100 ms': Math.max(...perSlot),
      'late, reported': measured.arrivals?.late ?? null,
      'late, as written': measured.writtenLate ?? null,
      'latest ms': measured.arrivals?.latestMs ?? null,
      'never sent': measured.arrivals?.dropped ?? null,
    };
  }
  console.log('Arrivals as the server sees them; late: over 1 ms');
  console.table(table);
  return table;
}

/** Arrivals in each whole slot, the first and the last left out. */
function countPerSlot(seen: readonly number[], slotMs: number): number[] {
  const first = seen[0] ?? 0;
  const counts: number[] = [];
  for (const at of seen) {
    const slot = Math.floor((at - first) / slotMs);
    counts[slot] = (counts[slot] ?? 0) + 1;
  }
  return Array.from(counts, (count) => count ?? 0).slice(1, -1);
}
