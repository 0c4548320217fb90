import { type BenchmarkResult, runBenchmark } from '@weir/bench';
import { expect, test } from 'vitest';
import { cpuProfileOf } from '../src/benchmarks/artefacts.ts';
import type { Run } from '../src/benchmarks/run-store.ts';
import { startFakeTarget } from './support/fake-target.ts';
import { eventually, getJson, instant } from './support/service-process.ts';
import { startTestService } from './support/test-service.ts';

async function measured(): Promise<BenchmarkResult> {
  const target = await startFakeTarget('hello');
  return runBenchmark({
    name: 'ci',
    target: target.url,
    requests: [{ path: '/' }],
    objectives: ['p99 < 10s', 'errors < 0.1%', 'rate > 1000000/s'],
    connections: 2,
    durationMs: 150,
    warmupMs: 50,
  });
}

async function push(
  service: { readonly url: string },
  name: string,
  result: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; run: Run }> {
  const response = await fetch(`${service.url}/benchmarks/${name}/results`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(result),
  });
  return { status: response.status, run: (await response.json()) as Run };
}

const changed = (result: BenchmarkResult, factor: number): BenchmarkResult => ({
  ...result,
  doubts: [],
  requests: { ...result.requests, perSecond: 1_000 / factor },
  latencyMs: { ...result.latencyMs, p50: 10 * factor, p90: 20 * factor, p99: 30 * factor, p999: 40 * factor },
});

test('a result measured elsewhere is history, compared, and judged in metrics', async () => {
  const service = await startTestService();
  const result = await measured();
  const runs: Run[] = [];
  for (const factor of [1, 1.01, 0.99, 1.005, 0.995, 1.002, 2]) {
    const { status, run } = await push(service, 'ci', changed(result, factor));
    expect(status).toBe(201);
    expect(run).toMatchObject({ benchmark: 'ci', status: 'finished', origin: 'pushed', error: null });
    runs.push(run);
  }
  const [first, second] = runs as [Run, Run];
  const last = runs.at(-1) as Run;
  expect((await getJson<Run[]>(`${service.url}/benchmarks/ci/runs`)).map(({ id }) => id)).toEqual(
    runs.map(({ id }) => id).reverse(),
  );
  expect(await getJson(`${service.url}/benchmarks`)).toMatchObject([
    { name: 'ci', scenario: null, lastRun: { id: last.id }, running: null },
  ]);
  const compare = (base: Run, head: Run) =>
    getJson<{ verdict: string; doubts: string[]; metrics: { metric: string; verdict: string }[] }>(
      `${service.url}/benchmarks/comparison?base=${base.id}&head=${head.id}`,
    );
  expect(await compare(first, second)).toMatchObject({ verdict: 'within noise', doubts: [] });
  expect(await compare(first, last)).toMatchObject({ verdict: 'worse' });
  expect(await compare(last, first)).toMatchObject({ verdict: 'better' });
  const metric = (name: string) => instant(service, `weir_bench_${name}{benchmark="ci"}`);
  // The service collects its own metrics once a second: the last run may be judged before all are counted.
  await eventually(
    async () => [
      await instant(service, 'weir_bench_verdict{benchmark="ci",verdict="worse"}'),
      await instant(service, 'weir_bench_runs_total{benchmark="ci",outcome="finished"}'),
    ],
    ([verdict, finished]) => verdict?.[0]?.[1] === '1' && finished?.[0]?.[1] === '7',
  );
  expect((await metric('passed'))[0]?.[1]).toBe('0');
  expect((await metric('doubts'))[0]?.[1]).toBe('0');
  expect((await metric('runs_total')).map(([labels, value]) => [labels.outcome, value])).toEqual(
    expect.arrayContaining([['finished', '7']]),
  );
  const thresholds = (await metric('objective_threshold')).map(([labels, value]) => [
    labels.objective,
    value,
  ]);
  expect(thresholds).toEqual(
    expect.arrayContaining([
      ['p99 < 10s', '10'],
      ['errors < 0.1%', '0.001'],
      ['rate > 1000000/s', '1000000'],
    ]),
  );
  const change = await instant(service, 'weir_bench_change_ratio{benchmark="ci",figure="p99Ms"}');
  expect(Number(change[0]?.[1])).toBeCloseTo(1, 1);
});

test('runs of two benchmarks are comparable, with what makes the comparison doubtful', async () => {
  const service = await startTestService();
  const result = changed(await measured(), 1);
  const { run: base } = await push(service, 'one', result);
  const { run: head } = await push(service, 'two', { ...result, name: 'two', partial: true });
  const answer = await getJson<{ verdict: string; doubts: string[] }>(
    `${service.url}/benchmarks/comparison?base=${base.id}&head=${head.id}`,
  );
  expect(answer.verdict).toBe('unknown');
  expect(answer.doubts).toEqual(['They differ in benchmark: "ci" and "two".', 'Head was cut short.']);
  expect((await fetch(`${service.url}/benchmarks/comparison?base=${base.id}&head=none`)).status).toBe(404);
});

test('a repeated push with one Idempotency-Key is one run, and what is no result is refused', async () => {
  const service = await startTestService();
  const result = await measured();
  const headers = { 'idempotency-key': 'job 17' };
  const first = await push(service, 'ci', result, headers);
  const again = await push(service, 'ci', result, headers);
  expect([first.status, again.status]).toEqual([201, 200]);
  expect(again.run).toEqual(first.run);
  expect((await push(service, 'other', result, headers)).status).toBe(201);
  expect((await push(service, 'ci', { ...result, requests: { total: 1 } })).status).toBe(400);
  expect((await push(service, 'ci', { ...result, startedAt: 'yesterday' })).status).toBe(400);
  expect((await push(service, '..%2Fx', result)).status).toBe(400);
  expect((await push(service, 'ci', null)).status).toBe(400);
});

test('a file is kept with a run, served as a document that can do nothing', async () => {
  const service = await startTestService();
  const { run } = await push(service, 'ci', await measured());
  const path = `${service.url}/benchmarks/ci/runs/${run.id}/artefacts`;
  const svg = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>';
  const put = (file: string, body: string) => fetch(`${path}/${file}`, { method: 'PUT', body });
  expect((await put('flame-graph.svg', svg)).status).toBe(204);
  expect((await put('evil.exe', 'x')).status).toBe(400);
  expect((await put('__proto__', 'x')).status).toBe(400);
  expect(await getJson(path)).toEqual([
    { name: 'flame-graph.svg', type: 'image/svg+xml', bytes: Buffer.byteLength(svg) },
  ]);
  const answer = await fetch(`${path}/flame-graph.svg`);
  expect(answer.headers.get('content-security-policy')).toContain("sandbox; default-src 'none'");
  expect(answer.headers.get('content-type')).toContain('image/svg+xml');
  expect(await answer.text()).toBe(svg);
  expect((await getJson<Run>(`${service.url}/benchmarks/ci/runs/${run.id}`)).artefacts).toEqual([
    'flame-graph.svg',
  ]);
  expect((await fetch(`${path}/speedscope.json`)).status).toBe(404);
});

test('a profile made of paths of calls keeps their time', () => {
  const profile = cpuProfileOf([
    new Map([
      ['handler app.js:10;render view.js:3', 700],
      ['handler app.js:10', 200],
    ]),
    new Map([['handler app.js:10', 100]]),
  ]);
  expect(profile.nodes.map(({ callFrame }) => callFrame.functionName)).toEqual([
    '(root)',
    'handler',
    'render',
  ]);
  expect(profile.nodes[1]?.callFrame).toMatchObject({ url: 'app.js', lineNumber: 9 });
  expect(profile.samples).toEqual([3, 2, 1]);
  expect(profile.timeDeltas).toEqual([0, 700, 300]);
  expect(profile.endTime).toBe(1_000);
});
