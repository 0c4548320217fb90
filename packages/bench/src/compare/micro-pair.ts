import { Bench } from 'tinybench';
import { importFile } from '../scenario/import-file.ts';
import type { Micro, MicroAnswer, MicroPlan } from './compare-micro.ts';

/*
 * A process of its own for one pair. It runs both implementations by turns, so that every disturbance of the process affects
 * both, and sends the median time of each to its parent.
 */

async function measure({ file, roundMs, rounds, headFirst }: MicroPlan): Promise<MicroAnswer> {
  const { default: micro } = (await importFile(file)) as { default?: Micro };
  if (typeof micro?.base !== 'function' || typeof micro.head !== 'function') {
    return { error: `${file}: has no default export of \`defineMicro({ … })\`` };
  }
  const times: Record<'base' | 'head', number[]> = { base: [], head: [] };
  for (let round = 0; round <= rounds; round += 1) {
    for (const name of headFirst ? (['head', 'base'] as const) : (['base', 'head'] as const)) {
      const bench = new Bench({ time: roundMs, warmupTime: roundMs / 5, throws: true });
      bench.add(name, micro[name]);
      const [task] = await bench.run();
      const result = task?.result;
      if (result === undefined || !('latency' in result))
        return { error: `${file}: ${name} was not measured` };
      // The first round warms both up.
      if (round > 0) times[name].push(result.latency.p50 * 1e6);
    }
  }
  return { name: micro.name, base: middle(times.base), head: middle(times.head) };
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}

process.once('message', (plan: MicroPlan) => {
  void measure(plan)
    .catch((error: Error): MicroAnswer => ({ error: error.message.split('\n', 1)[0] ?? 'failed' }))
    .then((answer) => process.send?.(answer, () => process.disconnect()));
});

process.once('disconnect', () => process.exit());
