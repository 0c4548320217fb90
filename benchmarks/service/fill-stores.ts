import { closeSync, openSync, writeSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promtool } from '@weir/test-kit';
import { parseSeriesText } from '../../service/src/ingest/series-text.ts';
import { MetricStore } from '../../service/src/store/metric-store.ts';
import { type MemorySeries, SampleBatch } from '../../service/src/store/series.ts';
import { createWorkload, withTarget } from './workload.ts';

const stepMs = 15_000;

export interface Filled {
  readonly series: number;
  readonly samples: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly weirBytes: number;
  readonly prometheusBytes: number;
}

/** The same samples, `hours` back from `endMs` every 15 s, into a store of the service and into blocks of Prometheus. */
export async function fillStores(
  directory: string,
  instances: number,
  hours: number,
  endMs: number,
): Promise<Filled> {
  const workload = createWorkload(instances);
  const steps = (hours * 3_600_000) / stepMs;
  const startMs = endMs - (steps - 1) * stepMs;
  const openMetrics = join(directory, 'samples.om');
  await fillWeir(directory, workload, steps, startMs);
  // promtool wants the samples of a family together, so the values are made series by series in hourly columns.
  writeOpenMetrics(openMetrics, instances, steps, startMs);
  const blocks = await promtool([
    'tsdb',
    'create-blocks-from',
    'openmetrics',
    openMetrics,
    join(directory, 'prometheus'),
  ]);
  if (blocks.code !== 0) throw new Error(`promtool: ${blocks.stderr}`);
  await rm(openMetrics);
  return {
    series: workload.series.length * instances,
    samples: workload.series.length * instances * steps,
    startMs,
    endMs,
    weirBytes: await bytesIn(join(directory, 'weir')),
    prometheusBytes: await bytesIn(join(directory, 'prometheus')),
  };
}

async function fillWeir(
  directory: string,
  workload: ReturnType<typeof createWorkload>,
  steps: number,
  startMs: number,
): Promise<void> {
  let nowMs = startMs;
  const store = new MetricStore({
    path: join(directory, 'weir', 'metrics.db'),
    retentionMs: 30 * 86_400_000,
    now: () => nowMs,
  });
  const keys: MemorySeries[] = [];
  for (let instance = 0; instance < workload.instances; instance++)
    for (const text of workload.series)
      keys.push(store.resolve(parseSeriesText(withTarget(text, instance))) as MemorySeries);
  const width = workload.series.length;
  for (let step = 0; step < steps; step++) {
    nowMs = startMs + step * stepMs;
    const values = workload.advance(stepMs / 1000);
    // One batch an instance, as scrapes come.
    for (let instance = 0; instance < workload.instances; instance++) {
      const batch = new SampleBatch<MemorySeries>();
      for (let i = instance * width; i < (instance + 1) * width; i++)
        batch.add(keys[i] as MemorySeries, nowMs, values[i] as number);
      store.append(batch);
    }
    while (store.maintain()) {}
  }
  store.close();
}

function writeOpenMetrics(path: string, instances: number, steps: number, startMs: number): void {
  const workload = createWorkload(instances);
  const width = workload.series.length;
  const columns = new Float64Array(width * instances * steps);
  for (let step = 0; step < steps; step++)
    columns.set(workload.advance(stepMs / 1000), step * width * instances);
  const file = openSync(path, 'w');
  for (let i = 0; i < width * instances; i++) {
    const text = withTarget(workload.series[i % width] as string, Math.floor(i / width));
    const lines: string[] = [];
    for (let step = 0; step < steps; step++)
      lines.push(`${text} ${columns[step * width * instances + i]} ${(startMs + step * stepMs) / 1000}\n`);
    writeSync(file, lines.join(''));
  }
  writeSync(file, '# EOF\n');
  closeSync(file);
}

/** Bytes of all files below a directory. */
export async function bytesIn(directory: string): Promise<number> {
  let total = 0;
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) total += (await stat(join(entry.parentPath, entry.name))).size;
  return total;
}
