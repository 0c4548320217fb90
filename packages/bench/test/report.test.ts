import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promtool } from '@weir/test-kit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  appendHistory,
  type BenchmarkResult,
  type CompareResult,
  findHistoryChanges,
  judge,
  readHistory,
  renderReport,
} from '../src/index.ts';
import { attemptAll } from '../src/process/output-files.ts';
import { niceTicks } from '../src/report/html.ts';
import { parseReport, reportTasks } from '../src/report/write-reports.ts';
import { explainResult } from '../src/result/result-schema.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'weir-report-'));
});
afterAll(() => rm(directory, { recursive: true }));

const environment = {
  node: '24.0.0',
  platform: 'linux',
  arch: 'x64',
  cpu: 'CPU <1>',
  cores: 2,
  commit: 'abcdef1234567890',
};
const run: BenchmarkResult = {
  schemaVersion: 1,
  name: 'a|<b>&"c"',
  target: 'http://127.0.0.1:1',
  startedAt: '2026-01-02T03:04:05.000Z',
  durationMs: 2_000,
  partial: false,
  load: { mode: 'closed', connections: 10, pipelining: 1 },
  requests: { total: 100, ok: 90, non2xx: 6, errors: 4, timeouts: 1, perSecond: 48 },
  latencyMs: { min: 1, mean: 2, p50: 2, p90: 3, p95: 4, p99: 250, p999: 300, max: 400 },
  statusCodes: { 200: 90, 503: 6 },
  failures: { cut: 3, timeout: 1 },
  objectives: [{ expression: 'p99 < 200ms', met: false, actual: 250 }],
  doubts: [{ code: 'cpu-steal', message: 'the hypervisor took 20 % of the processor time' }],
  bytesPerSecond: 1_000,
  timeline: [
    { atMs: 1_000, requestsPerSecond: 50, p50Ms: 2, p99Ms: 200, errors: 0 },
    { atMs: 2_000, requestsPerSecond: 46, p50Ms: 2, p99Ms: 300, errors: 4 },
  ],
  environment,
};

const arm = (perSecond: number) => ({ perSecond, p50Ms: 1, p99Ms: 2, answered: 100, errors: 0, non2xx: 0 });
const pairs = Array.from({ length: 10 }, (_, index) => ({
  base: arm(1_000 + index),
  head: arm(900 + index),
  conditions: { generatorBusy: 0.5 },
}));
const comparison: CompareResult = {
  schemaVersion: 1,
  name: 'shop',
  base: 'main (1234567890)',
  head: '.',
  startedAt: run.startedAt,
  durationMs: 70_000,
  verdict: 'slower',
  metrics: judge([
    {
      name: 'perSecond',
      better: 'higher',
      pairs: pairs.map(({ base, head }) => ({ base: base.perSecond, head: head.perSecond })),
    },
  ]),
  doubts: [],
  partial: false,
  design: 'duet',
  pinning: null,
  pairs,
  environment,
};

test('a result that lacks a field, or has one too many, is not one', () => {
  expect(explainResult(run)).toBeUndefined();
  expect(explainResult({ ...run, target: undefined })).toMatch(/^target: /);
  expect(explainResult({ ...run, extra: 1 })).toContain('extra');
});

test('HTML is one well-formed page whose values cannot break out of it', () => {
  const html = renderReport({ kind: 'run', result: run }, 'html');
  expect(html).not.toContain('<b>&"c"');
  expect(html).toContain('a|&lt;b&gt;&amp;&quot;c&quot;');
  expect(html).not.toMatch(/<script|https?:\/\/(?!127)/);
  expect(html.match(/<polyline/g)).toHaveLength(3);
  const compared = renderReport({ kind: 'comparison', result: comparison }, 'html');
  expect(compared).toContain('head is slower, answers/s by');
  expect(compared.match(/<polyline/g)).toHaveLength(2);
});

test('Markdown keeps hostile names inside their cell', () => {
  const markdown = renderReport({ kind: 'run', result: run }, 'markdown');
  expect(markdown).toContain('### ⚪ a\\|\\<b\\>&"c": 48 answers/s');
  expect(markdown).toContain('- 🔴 p99 \\< 200ms: 250 ms');
  expect(renderReport({ kind: 'comparison', result: comparison }, 'markdown')).toMatch(
    /\| answers\/s \| 1,00\d \| 90\d \| \+11\.\d % \|/,
  );
});

test('a slower comparison that was profiled names its culprits', () => {
  const culprit = { name: 'render|`x` src/page.ts:4', deltaUs: 3.5, baseUs: 1, headUs: 4.5 };
  const path = ['main', culprit.name];
  const profile = {
    functions: [{ ...culprit, path, callees: ['escape <src>'] }],
    lines: [{ ...culprit, name: 'src/page.ts:9' }],
    unit: 'µs',
  } as const;
  const subject = { kind: 'comparison', result: comparison, profile } as const;
  const markdown = renderReport(subject, 'markdown');
  expect(markdown).toContain("| `render¦'x' src/page.ts:4` | +3.50 µs | 1.00 | 4.50 |\n| `src/page.ts:9` |");
  expect(renderReport(subject, 'html')).toContain('<td>render|`x` src/page.ts:4</td><td>+3.50 µs</td>');
  const text = renderReport(subject, 'text');
  expect(text).toContain('+3.50 µs a request  render|`x` src/page.ts:4  (1.00 → 4.50)');
  expect(text).toContain(
    'the first is called by main\nthe first calls escape <src>, which take more too\nlines:',
  );
  const nothing = { ...subject, profile: { ...profile, functions: [], lines: [] } };
  expect(renderReport(nothing, 'markdown')).toContain('no function takes more time in every duet');
});

test('what the terminal and what GitHub show are reports too', () => {
  expect(renderReport({ kind: 'run', result: run }, 'text')).toMatch(/^a\|<b>&"c" {2}http/);
  expect(renderReport({ kind: 'comparison', result: comparison }, 'text')).toMatch(/^shop: head is slower/);
  expect(renderReport({ kind: 'comparison', result: comparison }, 'github')).toMatch(/^::error title=shop::/);
});

test('JUnit has a failure for each missed objective and each slower metric', () => {
  const junit = renderReport({ kind: 'run', result: run }, 'junit');
  expect(junit).toContain('tests="3" failures="2" skipped="0"');
  expect(junit).toContain('<failure message="p99 &lt; 200ms: 250 ms"/>');
  expect(renderReport({ kind: 'comparison', result: comparison }, 'junit')).toContain('failures="1"');
});

test('CSV has a row for each interval or pair', () => {
  expect(renderReport({ kind: 'run', result: run }, 'csv').split('\r\n')).toHaveLength(4);
  expect(renderReport({ kind: 'run', result: { ...run, name: '=1+1,' } }, 'csv')).toContain(`"'=1+1,"`);
  const rows = renderReport({ kind: 'comparison', result: comparison }, 'csv').trim().split('\r\n');
  expect(rows).toHaveLength(11);
  expect(new Set(rows.map((row) => row.split(',').length)).size).toBe(1);
});

test('Prometheus text passes promtool', async () => {
  const text = renderReport({ kind: 'run', result: { ...run, name: 'a"b\\c' } }, 'prometheus');
  expect(text).toContain('weir_bench_latency_seconds{benchmark="a\\"b\\\\c",quantile="0.99"} 0.25');
  const { code, stderr } = await promtool(['check', 'metrics'], { input: text });
  expect(stderr).toBe('');
  expect(code).toBe(0);
});

test('under GitHub Actions annotations are printed and the summary is appended', async () => {
  const summary = join(directory, 'summary.md');
  const file = join(directory, 'report.json');
  const printed: string[] = [];
  const tasks = reportTasks({ kind: 'run', result: run }, [parseReport(`json=${file}`, 'run')], {
    env: { GITHUB_ACTIONS: 'true', GITHUB_STEP_SUMMARY: summary },
    stdout: { write: (text) => printed.push(text) },
  });
  await attemptAll(tasks, expect.unreachable);
  expect(printed.join('')).toBe(
    '::error title=a|<b>&"c"%3A objective missed::p99 < 200ms: 250 ms\n' +
      '::warning title=a|<b>&"c"%3A unreliable::the hypervisor took 20 %25 of the processor time\n',
  );
  expect(await readFile(summary, 'utf8')).toContain('p99 \\< 200ms');
  expect(JSON.parse(await readFile(file, 'utf8'))).toEqual(run);
});

test('a report of an unknown kind or without a file is refused', () => {
  for (const text of ['pdf=x', 'html', 'html=']) {
    expect(() => parseReport(text, 'run')).toThrow(
      expect.objectContaining({ code: 'ERR_WEIR_BENCH_OPTION' }),
    );
  }
});

test('a report that a comparison does not have is refused before it is made', () => {
  expect(() => parseReport('prometheus=x', 'comparison')).toThrow(/no Prometheus report/);
  expect(parseReport('prometheus=x', 'run')).toEqual({ kind: 'prometheus', file: 'x' });
});

test('whatever becomes of one output, the others are made, and no failure is silent', async () => {
  const told: string[] = [];
  const done: number[] = [];
  const work = (index: number) => async () => {
    if (index % 2 === 1) throw new Error(`no ${index}`);
    done.push(index);
  };
  const attempt = attemptAll([0, 1, 2, 3, 4].map(work), (message) => told.push(message));
  await expect(attempt).rejects.toThrow('no 1');
  expect(done).toEqual([0, 2, 4]);
  expect(told).toEqual(['no 3']);
});

test('ticks are round and reach the highest value', () => {
  expect(niceTicks(97)).toEqual([0, 25, 50, 75, 100]);
  expect(niceTicks(0.013)).toEqual([0, 0.005, 0.01, 0.015]);
  expect(niceTicks(0)).toEqual([0, 1]);
});

test('history keeps every run in order, survives a line that was cut off, and names the commit of a change', async () => {
  for (let index = 0; index < 40; index += 1) {
    const perSecond = (index < 25 ? 1_000 : 800) + ((index * 7) % 10);
    const commit = `commit${index}`;
    await appendHistory(directory, {
      ...run,
      doubts: index === 12 ? run.doubts : [],
      requests: { ...run.requests, perSecond },
      environment: { ...environment, commit },
    });
    if (index === 10)
      await writeFile(join(directory, `${encodeURIComponent(run.name)}.jsonl`), '{"schemaVersion":1,"na', {
        flag: 'a',
      });
  }
  const history = await readHistory(directory, run.name);
  expect(history.skippedLines).toBe(1);
  expect(history.results).toHaveLength(40);
  const changes = findHistoryChanges(history.results);
  expect(changes).toMatchObject([
    // Counted among all runs, though the doubted one before it was left out.
    { metric: 'perSecond', worse: true, index: 25, commit: 'commit25', previousCommit: 'commit24' },
  ]);
  await expect(readHistory(directory, 'other')).rejects.toMatchObject({ code: 'ERR_WEIR_BENCH_FILE' });
});
