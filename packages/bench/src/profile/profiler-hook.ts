/*
 * Loaded into each server under profile with `--import`. On SIGUSR2 it starts V8's profilers, on the next one it stops
 * them and writes what they saw into the directory named by WEIR_BENCH_PROFILE.
 */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { join } from 'node:path';
import { samplingBytes } from './stack-times.ts';

const directory = process.env.WEIR_BENCH_PROFILE;
const kind = process.env.WEIR_BENCH_PROFILE_KIND ?? 'cpu';
const samplingUs = 1_000;

async function start(session: Session): Promise<void> {
  session.connect();
  if (kind === 'heap') {
    await session.post('HeapProfiler.enable');
    await session.post('HeapProfiler.startSampling', { samplingInterval: samplingBytes });
    return;
  }
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: samplingUs });
  await session.post('Profiler.start');
}

async function stop(session: Session): Promise<void> {
  const { profile } =
    kind === 'heap' ? await session.post('HeapProfiler.stopSampling') : await session.post('Profiler.stop');
  session.disconnect();
  writeFileSync(join(directory ?? '.', `${process.pid}.${kind}profile`), JSON.stringify(profile));
}

if (directory !== undefined) {
  const session = new Session();
  let running = false;
  process.on('SIGUSR2', () => {
    const step = running ? stop(session) : start(session);
    running = true;
    step.catch((error: Error) => process.stderr.write(`weir-bench profiler: ${error.message}\n`));
  });
  // Tells the parent that the hook is in: a signal sent before would end the process.
  writeFileSync(join(directory, `${process.pid}.ready`), '');
}
