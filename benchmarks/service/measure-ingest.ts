import { setTimeout as sleep } from 'node:timers/promises';
import { startFleet } from './fleet.ts';
import { cpuSeconds, type MeasuredServer, residentBytes, type ServerOptions } from './servers.ts';

export interface IngestMeasurement {
  readonly series: number;
  readonly samplesPerSecond: number;
  /** Samples that one second of CPU takes in: scraping, parsing, storing. */
  readonly samplesPerCpuSecond: number;
  readonly residentBytes: number;
  readonly peakResidentBytes: number;
}

const intervalMs = 2_000;
const settleMs = 10_000;

/** Lets one server scrape ten targets with some 50,000 series in all, every 2 s. */
export async function measureIngest(
  start: (options: ServerOptions) => Promise<MeasuredServer>,
  directory: string,
  seconds: number,
): Promise<IngestMeasurement> {
  const fleet = await startFleet(10, 10, 40);
  const server = await start({ directory, targets: fleet.addresses, intervalMs });
  try {
    await sleep(settleMs);
    const { pid } = server.process;
    const [cpuBefore, countBefore, began] = [cpuSeconds(pid), await samples(server), performance.now()];
    await sleep(seconds * 1_000);
    const elapsed = (performance.now() - began) / 1_000;
    const taken = (await samples(server)) - countBefore;
    const cpu = cpuSeconds(pid) - cpuBefore;
    const { now, peak } = residentBytes(pid);
    return {
      series: fleet.series,
      samplesPerSecond: taken / elapsed,
      samplesPerCpuSecond: taken / cpu,
      residentBytes: now,
      peakResidentBytes: peak,
    };
  } finally {
    await server.process.stop();
    fleet.close();
  }
}

async function samples({ name, url }: MeasuredServer): Promise<number> {
  const metric = name === 'weir' ? 'weir_store_samples_total' : 'prometheus_tsdb_head_samples_appended_total';
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${metric}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1]);
}
