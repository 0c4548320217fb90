import { tracingChannel } from 'node:diagnostics_channel';
import { expect, test } from 'vitest';
import { createMetrics } from '../src/index.ts';
import { samplesOf } from './samples.ts';

type Callback = (error: Error | null, result?: { rowCount: number }) => void;

/** A client of a node-postgres that publishes on `pg:query`, as announced. */
function publishingClient(channel = tracingChannel<unknown, { query: { text: string } }>('pg:query')) {
  const promises = new Set<unknown>();
  return {
    promises,
    connectionParameters: {},
    isPublishing: true,
    query(text: string, _values?: unknown, callback?: Callback): unknown {
      const context = { query: { text } };
      const answer = async (): Promise<{ rowCount: number }> => {
        await new Promise((resolve) => setImmediate(resolve));
        if (text.includes('fails')) throw new Error('told to');
        return { rowCount: 2 };
      };
      if (callback !== undefined) {
        const run = (done: Callback): void => {
          answer().then(
            (result) => done(null, result),
            (error: Error) => done(error),
          );
        };
        if (!this.isPublishing) return run(callback);
        return channel.traceCallback(run as never, 0, context, this, callback as never);
      }
      const pending = this.isPublishing ? channel.tracePromise(answer, context, this) : answer();
      promises.add(pending);
      return pending;
    },
  };
}

async function counts(metrics: Parameters<typeof samplesOf>[0]): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const [name, value] of await samplesOf(metrics)) {
    const summary = /^db_client_operation_duration_seconds_count\{.*db_query_summary="([^"]*)"/.exec(name);
    if (summary !== null) found[summary[1] as string] = value;
  }
  return found;
}

test('where pg publishes on its own channel the wrapper steps aside, and every query counts once', async () => {
  const metrics = createMetrics({ service: 'test', runtime: false });
  const driver = publishingClient();
  const client = metrics.instrument(driver);
  await client.query('select 1 from first');
  const second = client.query('select 1 from second');
  // The driver's own promise is returned unwrapped.
  expect(driver.promises).toContain(second);
  await second;
  await expect(client.query('select 1 from fails')).rejects.toThrow('told to');
  await new Promise<void>((resolve) => {
    client.query('select 1 from third', undefined, () => resolve());
  });
  expect(await counts(metrics)).toEqual({
    'select first': 1,
    'select second': 1,
    'select fails': 1,
    'select third': 1,
  });
  await metrics.close();
});

test('a client that stops publishing is timed by its callbacks again', async () => {
  const metrics = createMetrics({ service: 'test', runtime: false });
  const driver = publishingClient();
  const client = metrics.instrument(driver);
  await client.query('select 1 from first');
  driver.isPublishing = false;
  // The channel was relied on for this one.
  await client.query('select 1 from unheard');
  for (let index = 0; index < 3; index += 1) await client.query('select 1 from later');
  expect(await counts(metrics)).toEqual({ 'select first': 1, 'select later': 3 });
  await metrics.close();
});

test('a channel that someone else publishes on changes nothing for a client that does not', async () => {
  const metrics = createMetrics({ service: 'test', runtime: false });
  const quiet = publishingClient();
  quiet.isPublishing = false;
  const client = metrics.instrument(quiet);
  const stranger = publishingClient();
  for (let index = 0; index < 3; index += 1) {
    await Promise.all([client.query('select 1 from ours'), stranger.query('select 1 from theirs')]);
  }
  expect(await counts(metrics)).toEqual({ 'select ours': 3 });
  await metrics.close();
});
