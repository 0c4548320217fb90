import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchmarkResult } from '@weir/bench';
import { seededRandom } from '@weir/test-kit';
import { expect, onTestFinished, test } from 'vitest';
import { BenchmarkRunner } from '../src/benchmarks/benchmark-runner.ts';
import { compareRuns, judgeAgainst, overallVerdict } from '../src/benchmarks/compare-runs.ts';
import { type Run, RunStore } from '../src/benchmarks/run-store.ts';
import { writeScenario } from './support/bench-scenario.ts';
import { startFakeTarget } from './support/fake-target.ts';
import { eventually, getJson, startServiceProcess } from './support/service-process.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const start = async (url: string, name: string): Promise<{ status: number; run: Run }> => {
  const response = await fetch(`${url}/benchmarks/${name}/runs`, { method: 'POST' });
  return { status: response.status, run: (await response.json()) as Run };
};
const ended = (url: string, { benchmark, id }: Run): Promise<Run> =>
  eventually(
    () => getJson<Run>(`${url}/benchmarks/${benchmark}/runs/${id}`),
    ({ endedAt }) => endedAt !== null,
  );

test('another benchmark waits until the first is over, everything can be ended at once, and load can be switched off', async () => {
  const directory = temporaryDirectory();
  const target = await startFakeTarget('hello');
  const file = writeScenario(directory, target.url, 60_000);
  const config = {
    targets: [],
    benchmarks: ['a', 'b', 'c'].map((name) => ({ name, file })),
  };
  const service = await startServiceProcess(directory, config);
  const [a, b, c] = [
    await start(service.url, 'a'),
    await start(service.url, 'b'),
    await start(service.url, 'c'),
  ];
  expect([a.run.status, b.run.status, c.run.status]).toEqual(['running', 'queued', 'queued']);
  expect((await start(service.url, 'b')).status).toBe(409);
  await fetch(`${service.url}/benchmarks/c/runs/${c.run.id}`, { method: 'DELETE' });
  expect((await ended(service.url, c.run)).status).toBe('cancelled');
  await fetch(`${service.url}/benchmarks/a/runs/${a.run.id}`, { method: 'DELETE' });
  expect((await ended(service.url, a.run)).status).toBe('cancelled');
  await eventually(
    () => getJson<Run>(`${service.url}/benchmarks/b/runs/${b.run.id}`),
    ({ status }) => status === 'running',
  );
  writeFileSync(join(directory, 'weir.config.json'), JSON.stringify({ ...config, load: { enabled: false } }));
  process.kill(service.pid, 'SIGHUP');
  expect((await ended(service.url, b.run)).status).toBe('cancelled');
  expect((await start(service.url, 'a')).status).toBe(403);
});

test('a scenario beyond its limits or its allow-list fails with the reason, without load', async () => {
  const directory = temporaryDirectory();
  const target = await startFakeTarget('hello');
  const long = writeScenario(directory, target.url, 60_000);
  const far = {
    name: 'far',
    target: 'http://10.255.255.1:9',
    requests: [{ path: '/' }],
    durationMs: 500,
    warmupMs: 100,
  };
  writeFileSync(join(directory, 'far.json'), JSON.stringify(far));
  const meta = { ...far, target: 'http://[::ffff:169.254.169.254]' };
  writeFileSync(join(directory, 'meta.json'), JSON.stringify(meta));
  const service = await startServiceProcess(directory, {
    targets: [],
    load: { maxDuration: '5s', allow: ['169.254.169.254', '0.0.0.0/0:80'] },
    benchmarks: [
      { name: 'long', file: long },
      { name: 'far', file: 'far.json' },
      { name: 'meta', file: 'meta.json' },
    ],
  });
  const errorOf = async (name: string): Promise<string | null> =>
    (await ended(service.url, (await start(service.url, name)).run)).error;
  expect(await errorOf('long')).toContain('`load.maxDuration` is 5000 ms');
  expect(await errorOf('far')).toContain('Refused 10.255.255.1:9 at');
  expect(await errorOf('meta')).toContain('Refused ::ffff:a9fe:a9fe:80');
  expect(target.requests).toBe(0);
});

// Files of scenarios, and servers that they load, which do not end by themselves.
const never = 'await new Promise(() => {});';
const hanging: readonly (readonly [string, string])[] = [
  ['waits while it is loaded', `setInterval(() => {}, 1_000);\n${never}`],
  ['computes without end', 'for (;;);'],
  ['ignores every signal', `process.on('SIGTERM', () => {});\nprocess.on('disconnect', () => {});\n${never}`],
  [
    'loads a server that never answers',
    `export default { name: 'a', target: 'TARGET', requests: [{ path: '/' }], connections: 1, timeoutMs: 600_000,
      durationMs: 100, warmupMs: 0 };`,
  ],
];

test('a load process that does not end by itself is ended as failed, and the next benchmark gets its turn', async () => {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
  const silent = await startFakeTarget(() => {});
  const store = new RunStore(join(directory, 'benchmarks.db'), Date.now);
  let ids = 0;
  const runner = new BenchmarkRunner({
    store,
    now: Date.now,
    createId: () => `run-${++ids}`,
    onError: (message) => expect.fail(message),
    runLimits: { overheadMs: 400, graceMs: 100 },
  });
  onTestFinished(async () => {
    await runner.close();
    store.close();
  });
  const benchmarks = hanging.map(([name, text], at) => {
    writeFileSync(join(directory, `${at}.js`), text.replace('TARGET', silent.url));
    const file = join(directory, `${at}.js`);
    return { name, file, directory, schedule: undefined, profile: undefined };
  });
  runner.update(benchmarks, { enabled: true, allow: [], maxConnections: 1, maxDurationMs: 600 });
  const runs = benchmarks.map((benchmark) => runner.start(benchmark) as { run: Run });
  for (const { run } of runs) {
    const end = await eventually(
      async () => store.get(run.benchmark, run.id),
      (found) => found?.endedAt != null,
    );
    expect(end).toMatchObject({
      status: 'failed',
      error: 'the load process had not ended after 1000 ms, the limit that follows from `load.maxDuration`',
    });
  }
});

test('a scheduled benchmark runs by itself; a run has a report and can be compared', async () => {
  const directory = temporaryDirectory();
  const target = await startFakeTarget('hello');
  const file = writeScenario(directory, target.url, 200);
  const service = await startServiceProcess(directory, {
    targets: [],
    benchmarks: [{ name: 'quick', file, schedule: '* * * * * *' }],
  });
  const runs = await eventually(
    () => getJson<Run[]>(`${service.url}/benchmarks/quick/runs`),
    (list) => list.filter(({ status }) => status === 'finished').length >= 2,
  );
  const [head, base] = runs.filter(({ status }) => status === 'finished') as [Run, Run];
  const report = await fetch(`${service.url}/benchmarks/quick/runs/${head.id}/report`);
  expect([report.status, await report.text()]).toEqual([200, expect.stringContaining('<html')]);
  expect(report.headers.get('content-security-policy')).toContain('sandbox');
  const comparison = await getJson<{ metrics: { metric: string }[] }>(
    `${service.url}/benchmarks/quick/comparison?base=${base.id}&head=${head.id}`,
  );
  expect(comparison.metrics.map(({ metric }) => metric)).toContain('p99Ms');
  const log = readFileSync(join(directory, '.weir/data/audit.log'), 'utf8');
  expect(JSON.parse(log.split('\n')[0] ?? '')).toMatchObject({
    caller: 'schedule',
    action: 'benchmark.start',
    subject: 'quick',
    outcome: 'started',
  });
  expect((await fetch(`${service.url}/benchmarks/quick/comparison?base=x&head=y`)).status).toBe(404);
  expect(await getJson(`${service.url}/benchmarks/quick/changes`)).toEqual([]);
});

test('a difference counts when it exceeds what the history varies by anyway', () => {
  const result = (perSecond: number, p99: number): BenchmarkResult =>
    ({
      partial: false,
      requests: { total: 100, ok: 100, perSecond },
      latencyMs: { p50: 1, p90: 2, p99, p999: 4 },
    }) as unknown as BenchmarkResult;
  const history = [1_000, 1_010, 990, 1_005, 995].map(
    (rate) => ({ result: result(rate, 3) }) as unknown as Run,
  );
  const verdicts = (base: BenchmarkResult, head: BenchmarkResult, past = history) =>
    Object.fromEntries(compareRuns(base, head, past).map(({ metric, verdict }) => [metric, verdict]));
  expect(verdicts(result(1_000, 3), result(800, 3))).toMatchObject({
    requestsPerSecond: 'worse',
    p99Ms: 'within noise',
  });
  expect(verdicts(result(1_000, 3), result(1_200, 2))).toMatchObject({
    requestsPerSecond: 'better',
    p99Ms: 'better',
  });
  expect(verdicts(result(1_000, 3), result(1_008, 3))).toMatchObject({ requestsPerSecond: 'within noise' });
  expect(verdicts(result(1_000, 3), result(800, 3), history.slice(0, 3))).toMatchObject({
    requestsPerSecond: 'unknown',
  });
});

test('runs of one build are called changed at most about once in a hundred comparisons', () => {
  const random = seededRandom(7);
  const noisy = (): number =>
    1 + 0.1 * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const run = (): BenchmarkResult =>
    ({
      partial: false,
      requests: { total: 100, ok: 100, perSecond: 1_000 * noisy() },
      latencyMs: { p50: noisy(), p90: noisy(), p99: noisy(), p999: noisy() },
    }) as unknown as BenchmarkResult;
  for (const runs of [5, 8, 12, 30]) {
    let alarms = 0;
    for (let trial = 0; trial < 2_000; trial++) {
      const earlier = Array.from({ length: runs }, () => ({ result: run() }) as unknown as Run);
      const verdict = overallVerdict(judgeAgainst(earlier, run()));
      if (verdict !== 'within noise') alarms++;
    }
    expect(alarms / 2_000, `${runs} runs`).toBeLessThan(0.02);
  }
});
