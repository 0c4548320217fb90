import { seededRandom } from '@weir/test-kit';
import { expect, test } from 'vitest';
import { runCrashRounds } from './crash/crash-rounds.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

test('SIGKILL at random moments of full ingest loses no acknowledged sample and every start is clean', async () => {
  const outcome = await runCrashRounds({
    directory: temporaryDirectory(),
    rounds: 6,
    series: 50,
    random: seededRandom(11),
  });
  expect(outcome).toMatchObject({ lostSamples: 0, lostResults: 0, wrongSamples: 0, uncleanStarts: 0 });
  expect(outcome.acknowledgedBatches).toBeGreaterThan(0);
});
