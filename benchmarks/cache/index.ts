import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { measureAllocation, measureHits } from './memory-hits.ts';
import { measureHerd } from './peer-herd.ts';
import { measureRedis, type TierFigure } from './redis-tier.ts';

const out = join(import.meta.dirname, '../results/cache.json');

/** `pnpm bench:peers cache [--quick]`: L1 hits, the Redis tier and a herd, beside the peers; prints and keeps the figures. */
export async function run(args: string[]): Promise<void> {
  const isQuick = args.includes('--quick');
  const allocation = await measureAllocation();
  const hits = await measureHits(isQuick ? 3 : 11);
  console.log('L1 hit, awaited, 1000 keys');
  console.table(
    hits.map(({ medianNs, name, ratio, spread }) => ({
      name,
      ns: Math.round(medianNs),
      '× lru get + await': Number(ratio.toFixed(2)),
      'spread %': Math.round(spread * 100),
    })),
  );
  console.log(`weir: ${allocation.toFixed(2)} bytes of heap a hit`);
  const tiers = await measureRedis(isQuick ? 2 : 15);
  console.log(
    'Redis tier, µs a read (quartiles apart by % of it), one after the other and with 50 in flight',
  );
  console.table(
    tiers.map(({ figures, name }) => {
      const show = (figure: TierFigure) =>
        `${figures[figure].median.toFixed(1)} (${Math.round(figures[figure].spread * 100)} %)`;
      return {
        name,
        'hit, 1': show('sequentialHit'),
        'miss, 1': show('sequentialMiss'),
        'hit, 50': show('concurrentHit'),
        'miss, 50': show('concurrentMiss'),
      };
    }),
  );
  const herd = await measureHerd();
  console.log('Loads of 1000 concurrent misses over 4 processes');
  console.table(herd);
  if (isQuick) return;
  const environment = {
    node: process.version,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    commit: execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' }).trim(),
    date: new Date().toISOString(),
  };
  await mkdir(join(out, '..'), { recursive: true });
  await writeFile(
    out,
    `${JSON.stringify({ environment, allocationBytesPerHit: allocation, hits, tiers, herd }, null, 2)}\n`,
  );
}
