/*
 * Loaded with `--import` into each server that is profiled. It starts V8's profiler on the first SIGUSR2; on the second one it stops the
 * profiler and writes the profile into the directory WEIR_BENCH_PROFILE.
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
  // Shows the parent that the hook is loaded; an earlier signal would end the process.
  writeFileSync(join(directory, `${process.pid}.ready`), '');
}
