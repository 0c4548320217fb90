/**
 * The service beside Prometheus on the same machine: disk, the ten heaviest dashboard queries over 5,000 series and 6 hours,
 * ingest and memory at 50,000 series, and what a heavy query does to others. One after the other, queries in interleaved rounds.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os, { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fillStores } from './fill-stores.ts';
import { measureIngest } from './measure-ingest.ts';
import { measureIsolation } from './measure-isolation.ts';
import { measureQueries } from './measure-queries.ts';
import { startPeer, startWeir } from './servers.ts';

const hours = 6;
const instances = 10;

/** `pnpm bench:peers service [seconds of ingest]`; writes benchmarks/results/service.json. */
export async function run(args: string[]): Promise<void> {
  const seconds = Number(args[0] ?? 40);
  const directory = mkdtempSync(join(tmpdir(), 'weir-bench-service-'));
  const stop = (): never => {
    rmSync(directory, { recursive: true, force: true });
    process.exit(130);
  };
  process.once('SIGINT', stop);
  try {
    const endMs = Math.floor(Date.now() / 15_000) * 15_000;
    console.log(`Filling both stores with ${hours} h of samples every 15 s …`);
    const filled = await fillStores(directory, instances, hours, endMs);
    const { series, samples, weirBytes, prometheusBytes } = filled;
    const disk = {
      series,
      samples,
      weirBytesPerSample: weirBytes / samples,
      prometheusBytesPerSample: prometheusBytes / samples,
    };
    console.log(
      `disk: ${disk.weirBytesPerSample.toFixed(2)} B/sample with journal and index, Prometheus' compacted blocks ${disk.prometheusBytesPerSample.toFixed(2)}`,
    );

    const options = { directory, targets: [], intervalMs: 15_000 };
    const [weir, prometheus] = [await startWeir(options), await startPeer(options)];
    const queries = await measureQueries(weir, prometheus, { startMs: filled.startMs, endMs }, 7);
    await Promise.all([weir.process.stop(), prometheus.process.stop()]);
    for (const { query, weirMs, prometheusMs, ratio } of queries)
      console.log(`${ratio.toFixed(2)}×  ${weirMs.toFixed(0)} ms / ${prometheusMs.toFixed(0)} ms  ${query}`);

    const ingest = {
      weir: await measureIngest(startWeir, fresh(directory, 'a'), seconds),
      prometheus: await measureIngest(startPeer, fresh(directory, 'b'), seconds),
    };
    for (const [name, one] of Object.entries(ingest))
      console.log(
        `${name}: ${one.series} series, ${one.samplesPerSecond.toFixed(0)} samples/s, ${one.samplesPerCpuSecond.toFixed(0)} a CPU second, ${(one.residentBytes / 1e6).toFixed(0)} MB resident (peak ${(one.peakResidentBytes / 1e6).toFixed(0)})`,
      );
    const isolation = {
      weir: await measureIsolation(startWeir, fresh(directory, 'c'), 10),
      prometheus: await measureIsolation(startPeer, fresh(directory, 'd'), 10),
    };
    for (const [name, { heavyMs, alone, besideHeavy }] of Object.entries(isolation))
      console.log(
        `${name}: beside a query of ${heavyMs.toFixed(0)} ms a light one takes ${besideHeavy.queryP50Ms.toFixed(1)} ms, at worst ${besideHeavy.queryWorstMs.toFixed(0)} (alone ${alone.queryP50Ms.toFixed(1)}, ${alone.queryWorstMs.toFixed(0)}), scrapes are at most ${besideHeavy.worstScrapeGapMs.toFixed(0)} ms apart (${alone.worstScrapeGapMs.toFixed(0)})`,
      );
    save({ disk, queries, ingest, isolation });
  } finally {
    process.off('SIGINT', stop);
    rmSync(directory, { recursive: true, force: true });
  }
}

function fresh(directory: string, name: string): string {
  const path = join(directory, name);
  mkdirSync(path);
  return path;
}

function save(figures: object): void {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: import.meta.dirname })
    .toString()
    .trim();
  const environment = {
    date: new Date().toISOString(),
    commit,
    node: process.version,
    cpu: os.cpus()[0]?.model,
    cores: os.cpus().length,
  };
  const path = join(import.meta.dirname, '../results/service.json');
  mkdirSync(join(import.meta.dirname, '../results'), { recursive: true });
  writeFileSync(path, `${JSON.stringify({ environment, ...figures }, null, 2)}\n`);
  console.log(`Written to ${path}`);
}
