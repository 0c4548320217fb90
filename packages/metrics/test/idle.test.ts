import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';

test('an idle event loop reads next to nothing, where a timer reads its own interval', async () => {
  const child = fork(join(import.meta.dirname, 'fixtures/idle.process.ts'), {
    execArgv: ['--conditions=@weir/source'],
  });
  const [told] = (await once(child, 'message')) as [
    { count: number; meanSeconds: number; timedMeanSeconds: number },
  ];
  expect(told.count).toBeGreaterThanOrEqual(90);
  // Other work on the machine delays both alike, so their ratio holds under any load.
  expect(told.timedMeanSeconds).toBeGreaterThan(0.005);
  expect(told.meanSeconds).toBeLessThan(told.timedMeanSeconds / 4);
});
