import { type BenchmarkProgress, type BenchmarkResult, loadScenario, runBenchmark } from '@weir/bench';
import type { BenchmarkProfileConfig } from '../config/config.ts';
import { messageOf } from '../errors.ts';
import { AllowList } from '../network/address-policy.ts';
import { resolveAllowed } from '../network/guarded-client.ts';
import { profileArtefacts } from './artefacts.ts';
import { assertWithinLimits, identifyLoad, type LoadLimits, pinLookups } from './load-policy.ts';
import type { Artefact } from './run-store.ts';

// The process that generates load. It runs one scenario and exits; it also exits when its parent does.

/** The parent's first message. */
export interface BenchRequest {
  readonly file: string;
  readonly limits: LoadLimits;
  /** The builds to profile after the measurement, if any. */
  readonly profile: BenchmarkProfileConfig | undefined;
}

export type BenchMessage =
  | { readonly type: 'progress'; readonly progress: BenchmarkProgress }
  | { readonly type: 'result'; readonly result: BenchmarkResult }
  | { readonly type: 'artefacts'; readonly artefacts: readonly Artefact[] }
  | { readonly type: 'error'; readonly message: string };

const abort = new AbortController();
/** Resolves when the message is written. A message that is still being written when the channel closes is lost. */
const send = (message: BenchMessage): Promise<void> =>
  new Promise((resolve) => {
    if (process.connected) process.send?.(message, () => resolve());
    else resolve();
  });

process.on('disconnect', () => process.exit(1));
// Ctrl-C reaches the whole process group. The parent decides when this process ends.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => abort.abort());
process.on('message', (message: BenchRequest | 'cancel') => {
  if (message === 'cancel') abort.abort();
  else void run(message);
});

async function run({ file, limits, profile }: BenchRequest): Promise<void> {
  try {
    const scenario = identifyLoad(await loadScenario(file));
    assertWithinLimits(scenario, limits);
    const { host, port, addresses } = await resolveAllowed(scenario.target, {
      allow: new AllowList(limits.allow),
      setting: 'load.allow',
      withLoopback: true,
    });
    pinLookups(host, addresses);
    const result = await runBenchmark(scenario, {
      signal: abort.signal,
      allowTargets: [host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`],
      onProgress: (progress) => void send({ type: 'progress', progress }),
    });
    await send({ type: 'result', result });
    if (profile !== undefined && !abort.signal.aborted)
      await send({
        type: 'artefacts',
        artefacts: await profileArtefacts(scenario, profile, abort.signal),
      });
  } catch (thrown) {
    await send({ type: 'error', message: messageOf(thrown) });
  }
  process.disconnect();
}
