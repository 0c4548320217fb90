import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { Labels } from '@weir/promql';
import { type Run, RunStore } from '../../src/benchmarks/run-store.ts';
import { MetricStore } from '../../src/store/metric-store.ts';
import { type MemorySeries, SampleBatch } from '../../src/store/series.ts';
import { crashLayout, expectedValue, resultEvery, stepMs } from './crash-layout.ts';

// Appends batches as fast as it can and says on stdout, after each, which step the store has taken. Ends by SIGKILL.

const [directory = '', first = '0', seriesCount = '50'] = process.argv.slice(2);
let step = Number(first);
const store = new MetricStore({
  ...crashLayout,
  path: join(directory, 'metrics.db'),
  now: () => stepMs(step),
});
const runs = new RunStore(join(directory, 'benchmarks.db'), Date.now);
for (;;) {
  const batch = new SampleBatch<MemorySeries>();
  for (let i = 0; i < Number(seriesCount); i++) {
    const series = store.resolve(Labels.from({ __name__: 'crash', i: String(i) }));
    if (series !== undefined) batch.add(series, stepMs(step), expectedValue(i, step));
  }
  store.append(batch);
  if (step % resultEvery === 0) recordRun(step);
  writeSync(1, `${step}\n`);
  step++;
  store.maintain();
}

function recordRun(number: number): void {
  // A step killed before its acknowledgement comes again; its run gets an id of its own.
  const id = `${number}-${process.pid}`;
  const startedAt = new Date(stepMs(number)).toISOString();
  const run: Run = {
    id,
    benchmark: 'crash',
    status: 'running',
    origin: 'service',
    startedAt,
    endedAt: null,
    result: null,
    error: null,
    artefacts: [],
  };
  runs.add(run);
  runs.finish({ ...run, status: 'finished', endedAt: startedAt });
}
