import { expect, test } from 'vitest';
import type { Run } from '../src/benchmarks/run-store.ts';
import { writeScenario } from './support/bench-scenario.ts';
import { startFakeTarget } from './support/fake-target.ts';
import { eventually, getJson, instant, startServiceProcess } from './support/service-process.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

async function startRun(url: string): Promise<Run> {
  const response = await fetch(`${url}/benchmarks/quick/runs`, { method: 'POST' });
  expect(response.status).toBe(202);
  const run = (await response.json()) as Run;
  expect(response.headers.get('location')).toBe(`/benchmarks/quick/runs/${run.id}`);
  return run;
}

async function setUp(durationMs: number): Promise<{ directory: string; config: object }> {
  const directory = temporaryDirectory();
  const target = await startFakeTarget((request, response) => {
    // Whoever is loaded sees by whom.
    response.writeHead(/^weir\/\S+ \(benchmark\)$/.test(request.headers['user-agent'] ?? '') ? 200 : 400);
    response.end('hello');
  });
  const file = writeScenario(directory, target.url, durationMs);
  return {
    directory,
    config: {
      scrape: { interval: '200ms' },
      targets: [],
      benchmarks: [{ name: 'quick', file }],
    },
  };
}

test('a run streams its progress, ends with a result, and is history and metrics after a restart', async () => {
  const { directory, config } = await setUp(700);
  const service = await startServiceProcess(directory, config);
  const run = await startRun(service.url);
  expect(run).toMatchObject({ benchmark: 'quick', status: 'running', result: null, endedAt: null });
  const second = await fetch(`${service.url}/benchmarks/quick/runs`, { method: 'POST' });
  expect(second.status).toBe(409);

  const events = await (await fetch(`${service.url}/benchmarks/quick/runs/${run.id}/events`)).text();
  const parsed = [...events.matchAll(/event: (\w+)\ndata: (.*)\n/g)];
  expect(parsed[0]?.[1]).toBe('run');
  expect(parsed.map(([, name]) => name)).toContain('progress');
  expect(parsed.at(-1)?.[1]).toBe('end');
  expect(parsed.filter(([, name]) => name === 'end')).toHaveLength(1);
  const ended = JSON.parse(parsed.at(-1)?.[2] ?? '') as Run;
  expect(ended).toMatchObject({ id: run.id, status: 'finished', error: null });
  expect(ended.result?.requests.ok).toBeGreaterThan(0);
  expect(ended.result?.requests.non2xx).toBe(0);
  const late = await (await fetch(`${service.url}/benchmarks/quick/runs/${run.id}/events`)).text();
  expect(late).toContain('event: end');

  const measured = await eventually(
    () => instant(service, 'weir_bench_requests_per_second{benchmark="quick"}'),
    (answer) => answer.length === 1,
  );
  expect(Number(measured[0]?.[1])).toBeCloseTo(ended.result?.requests.perSecond ?? 0, 6);

  await service.end('SIGKILL');
  const again = await startServiceProcess(directory, config);
  expect(await getJson(`${again.url}/benchmarks/quick/runs`)).toEqual([ended]);
  expect(await getJson(`${again.url}/benchmarks`)).toMatchObject([
    { name: 'quick', lastRun: ended, running: null },
  ]);
});

test('a run can be cancelled', async () => {
  const { directory, config } = await setUp(60_000);
  const service = await startServiceProcess(directory, config);
  const run = await startRun(service.url);
  const path = `${service.url}/benchmarks/quick/runs/${run.id}`;
  expect((await fetch(path, { method: 'DELETE' })).status).toBe(202);
  const ended = await eventually(
    () => getJson<Run>(path),
    ({ status }) => status !== 'running',
  );
  expect(ended.status).toBe('cancelled');
  expect((await fetch(path, { method: 'DELETE' })).status).toBe(409);
  await startRun(service.url);
  expect(await service.end('SIGTERM')).toEqual({ code: 0, signal: null });
});

test('a run that the service did not survive is found failed, and its load ends with the service', async () => {
  const { directory, config } = await setUp(60_000);
  const service = await startServiceProcess(directory, config);
  const run = await startRun(service.url);
  await eventually(
    async () => (await fetch(`${service.url}/benchmarks/quick/runs/${run.id}`)).status,
    (status) => status === 200,
  );
  await service.end('SIGKILL');
  const again = await startServiceProcess(directory, config);
  expect(await getJson<Run>(`${again.url}/benchmarks/quick/runs/${run.id}`)).toMatchObject({
    status: 'failed',
    error: 'the service stopped during the run',
  });
});
