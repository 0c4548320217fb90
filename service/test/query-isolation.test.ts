import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { startFakeTarget } from './support/fake-target.ts';
import { eventually, getJson, instant } from './support/service-process.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';
import { startTestService } from './support/test-service.ts';

// Half a minute of work on any machine, were it let.
const endless = `max_over_time((sum(sin(vector(1) * time())))[500d:1ms])`;
const heavy = 'sum(sum_over_time((sum_over_time(vector(time())[1h:1ms]))[5h:1s]))';

test('while a heavy query is evaluated, samples are taken and other queries answered', async () => {
  const target = await startFakeTarget((_request, response) => response.end(`ticks ${Date.now()}\n`));
  const service = await startTestService({ targets: [{ job: 'clock', url: target.url }] });
  await eventually(
    () => instant(service, 'ticks'),
    (answer) => answer.length === 1,
  );
  const leave = new AbortController();
  let isOver = false;
  const running = fetch(`${service.url}/api/v1/query?query=${encodeURIComponent(heavy)}`, {
    signal: leave.signal,
  })
    .catch(() => undefined)
    .finally(() => {
      isOver = true;
    });
  const active = async () => {
    const text = await (await fetch(`${service.url}/metrics`)).text();
    return Number(/^weir_query_active (\d+)$/m.exec(text)?.[1]);
  };
  await eventually(active, (count) => count === 1);
  const first = Number((await instant(service, 'ticks'))[0]?.[1]);
  await eventually(
    () => instant(service, 'ticks'),
    (answer) => Number(answer[0]?.[1]) > first,
  );
  expect(isOver).toBe(false);
  leave.abort();
  await running;
  // Whoever left is not worked for.
  await eventually(active, (count) => count === 0);
});

test('a query that exceeds its time or its samples is ended, and its thread takes the next', async () => {
  const service = await startTestService();
  const ask = async (query: string, timeout: string) => {
    const parameters = new URLSearchParams({ query, timeout });
    const response = await fetch(`${service.url}/api/v1/query?${parameters}`);
    const { errorType } = (await response.json()) as { errorType?: string };
    return [response.status, errorType];
  };
  const answers = await Promise.all([ask(heavy, '300ms'), ask(heavy, '300ms'), ask(heavy, '300ms')]);
  expect(answers).toEqual([
    [503, 'timeout'],
    [503, 'timeout'],
    [503, 'timeout'],
  ]);
  expect(await ask(endless, '5s')).toEqual([422, 'execution']);
  expect(await ask('1', '5s')).toEqual([200, undefined]);
});

test('a store of another version is set aside, and a damaged chunk costs only itself', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, '.weir/data/metrics.db');
  const target = await startFakeTarget('kept 1\n');
  const config = { targets: [{ job: 'a', url: target.url }] };
  const first = await startTestService(config, directory);
  await eventually(
    () => instant(first, 'kept'),
    (answer) => answer.length === 1,
  );
  await first.close();
  const blockMs = Math.floor(Date.now() / 3_600_000) * 3_600_000 - 3_600_000;
  const database = new DatabaseSync(path);
  const { id } = database.prepare(`SELECT id FROM series WHERE labels LIKE '%"kept"%'`).get() as {
    id: number;
  };
  // A chunk as it was written before chunks carried a version.
  database.prepare('INSERT INTO chunks VALUES (?, ?, 2, ?)').run(blockMs, id, Uint8Array.of(1, 2, 3));
  database.prepare('INSERT INTO blocks VALUES (?, 2, ?)').run(blockMs, Uint8Array.of(id));
  database.close();
  const second = await startTestService(config, directory);
  await eventually(
    () => instant(second, 'kept'),
    (answer) => answer.length === 1,
  );
  const answer = await getJson<{ status: string; warnings: string[] }>(
    `${second.url}/api/v1/query?query=${encodeURIComponent('count_over_time(kept[3h])')}`,
  );
  expect(answer.status).toBe('success');
  expect(answer.warnings).toEqual([expect.stringContaining('are damaged and left out')]);
  await second.close();
  const again = new DatabaseSync(path);
  again.exec(`UPDATE meta SET value = 1 WHERE key = 'layout'`);
  again.close();
  const third = await startTestService(config, directory);
  await eventually(
    () => instant(third, 'kept'),
    (result) => result.length === 1,
  );
  expect(await instant(third, 'count_over_time(kept[3h]) < 1')).toEqual([]);
});

test('a push waits for one of the reads that wait, not for all', async () => {
  const service = await startTestService();
  const body = Array.from({ length: 4_000 }, (_, at) => `m{a="${at}",b="${(at * 7_919) % 99_991}"} 1\n`).join(
    '',
  );
  const push = () => fetch(`${service.url}/push/job`, { method: 'POST', body });
  expect((await push()).status).toBe(204);
  let answered = 0;
  const reads = Array.from({ length: 60 }, async () => {
    const response = await fetch(`${service.url}/api/v1/series?match[]={b=~".*(1|2|3).*[0-9]x?"}`);
    answered++;
    await response.arrayBuffer();
    return response.status;
  });
  // The first answer says that the others have come in.
  await Promise.race(reads);
  expect((await fetch(`${service.url}/push/other`, { method: 'POST', body: 'a 1\n' })).status).toBe(204);
  expect(answered).toBeLessThan(40);
  expect(new Set(await Promise.all(reads))).toEqual(new Set([200]));
});
