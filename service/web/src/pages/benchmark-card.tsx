import type { JSX } from 'preact';
import type { Benchmark, Result } from '../api/benchmarks.ts';
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
        {running === undefined && scenario !== null && (
          <button type="button" class="primary" onClick={state.start}>
            Run benchmark
          </button>
        )}
        {running !== undefined && (
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
      {running !== undefined && (
        <BenchmarkProgress progress={progress} queued={running.status === 'queued'} />
      )}
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
        <p class="benchmark-none">No result yet.</p>
      )}
      {runs !== undefined && runs.length > 1 && <BenchmarkHistory name={name} runs={runs} />}
    </article>
  );
}

/** What the benchmark does, in a line: its scenario's file and, once it has run, the load that it brought. */
function describe(scenario: string | null, result: Result | undefined): string {
  const from = scenario ?? 'results from elsewhere';
  if (result === undefined) return from;
  const { target, load, durationMs } = result;
  const amount = load.mode === 'open' ? `${load.rate} req/s` : `${load.connections} connections`;
  return `${from} on ${withoutScheme(target)} · ${amount} · ${formatDuration(durationMs)}`;
}

function withoutScheme(origin: string): string {
  return origin.replace(/^https?:\/\//, '');
}
