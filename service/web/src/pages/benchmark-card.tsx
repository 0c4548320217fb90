import type { JSX } from 'preact';
import type { Benchmark, Result, Scenario } from '../api/benchmarks.ts';
import { formatAge, formatDuration } from '../time/duration.ts';
import { BenchmarkHistory } from './benchmark-history.tsx';
import { BenchmarkProgress } from './benchmark-progress.tsx';
import { BenchmarkResult } from './benchmark-result.tsx';
import { useBenchmark } from './use-benchmark.ts';

/** One benchmark: what it does, its button, its progress or last result, its history. */
export function BenchmarkCard({ benchmark }: { readonly benchmark: Benchmark }): JSX.Element {
  const { name, scenario } = benchmark;
  const state = useBenchmark(benchmark);
  const { runs, running, progress, error } = state;
  const last = runs?.[0];
  const lastResult = runs?.find(({ result }) => result !== null);
  const previous = runs?.filter(({ result }) => result !== null)[1];
  return (
    <article class="benchmark" aria-label={`Benchmark ${name}`}>
      <header class="benchmark-head">
        <div>
          <h3>{name}</h3>
          <p class="benchmark-scenario">{describe(scenario, lastResult?.result ?? undefined)}</p>
        </div>
        {running === undefined ? (
          <button type="button" class="primary" onClick={state.start}>
            Run benchmark
          </button>
        ) : (
          <button type="button" onClick={state.cancel}>
            Stop
          </button>
        )}
      </header>
      {error !== undefined && (
        <p class="benchmark-error" role="alert">
          {error}
        </p>
      )}
      {running !== undefined && <BenchmarkProgress progress={progress} />}
      {running === undefined && last !== undefined && last.status !== 'finished' && (
        <p class="benchmark-error" role="status">
          The last run, {formatAge(Date.now() - Date.parse(last.startedAt))},{' '}
          {last.status === 'cancelled'
            ? 'was stopped before its end.'
            : `failed: ${last.error ?? 'no reason given'}`}
        </p>
      )}
      {running === undefined && lastResult?.result && (
        <BenchmarkResult
          run={lastResult}
          result={lastResult.result}
          previous={previous?.result ?? undefined}
        />
      )}
      {running === undefined && runs !== undefined && lastResult === undefined && (
        <p class="benchmark-none">No result yet.{lengthOf(scenario)}</p>
      )}
      {runs !== undefined && runs.length > 1 && <BenchmarkHistory runs={runs} />}
    </article>
  );
}

/** What the benchmark does, in a line; from its last result where the service names the scenario's file only. */
function describe(scenario: Scenario | string, result: Result | undefined): string {
  if (typeof scenario !== 'string') return describeScenario(scenario);
  const file = scenario.split('/').at(-1) ?? scenario;
  if (result === undefined) return file;
  const { target, load, durationMs } = result;
  return `${file} on ${withoutScheme(target)} · ${load.connections} connections · ${formatDuration(durationMs)}`;
}

/** `GET /products/42 on 127.0.0.1:4041 · 10 connections · 10s after 2s warm-up`. */
export function describeScenario(scenario: Scenario): string {
  const { requests = [], connections = 10, durationMs = 10_000, warmupMs = 2000, target } = scenario;
  const [first] = requests;
  const what = first === undefined ? '' : `${first.method ?? 'GET'} ${first.path}`;
  const more = requests.length > 1 ? ` and ${requests.length - 1} more` : '';
  const where = target === undefined ? '' : ` on ${withoutScheme(target)}`;
  const load = `${connections} connections · ${formatDuration(durationMs)} after ${formatDuration(warmupMs)} warm-up`;
  return `${what}${more}${where} · ${load}`;
}

function withoutScheme(origin: string): string {
  return origin.replace(/^https?:\/\//, '');
}

function lengthOf(scenario: Scenario | string): string {
  if (typeof scenario === 'string') return '';
  const { durationMs = 10_000, warmupMs = 2000 } = scenario;
  return ` A run takes ${Math.round((durationMs + warmupMs) / 1000)} s.`;
}
