import type { JSX } from 'preact';
import type { BenchmarkEntry, BenchmarkResult, Run } from '../api/benchmarks.ts';
import { formatCount, formatValue } from '../model/format-value.ts';
import { formatAge, formatDuration, formatMoment } from '../model/time-range.ts';
import { ScrollRegion } from '../ui/popover.tsx';
import { Benchmarks } from './benchmarks.tsx';
import { HistoryCharts } from './history-charts.tsx';
import { RunProgress, RunResult } from './run-result.tsx';
import { useBenchmark } from './use-benchmark.ts';

/** The configured benchmarks on a page of their own. */
export function BenchmarksPage(): JSX.Element {
  return (
    <div class="page page-wide">
      <h1>Benchmarks</h1>
      <p class="lead">
        Load on the configured targets, run by this service in a process of its own. Every result is kept.
      </p>
      <Benchmarks />
    </div>
  );
}

/** One benchmark: what it does, its button, its progress or last result, its history. */
export function BenchmarkCard({ benchmark }: { readonly benchmark: BenchmarkEntry }): JSX.Element {
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
      {running !== undefined && <RunProgress progress={progress} queued={running.status === 'queued'} />}
      {running === undefined && last !== undefined && last.status !== 'finished' && (
        <p class="benchmark-error" role="status">
          The last run, {formatAge(Date.now() - Date.parse(last.startedAt))},{' '}
          {last.status === 'cancelled'
            ? 'was stopped before its end.'
            : `failed: ${last.error ?? 'no reason given'}`}
        </p>
      )}
      {running === undefined && lastResult?.result && (
        <RunResult run={lastResult} result={lastResult.result} previous={previous?.result ?? undefined} />
      )}
      {running === undefined && runs !== undefined && lastResult === undefined && (
        <p class="benchmark-none">No result yet.</p>
      )}
      {runs !== undefined && runs.length > 1 && <BenchmarkHistory name={name} runs={runs} />}
    </article>
  );
}

/** What the benchmark does, in a line: its scenario's file and, once it has run, the load that it brought. */
function describe(scenario: string | null, result: BenchmarkResult | undefined): string {
  const from = scenario ?? 'results from elsewhere';
  if (result === undefined) return from;
  const { target, load, durationMs } = result;
  const amount = load.mode === 'open' ? `${load.rate} req/s` : `${load.connections} connections`;
  return `${from} on ${withoutScheme(target)} · ${amount} · ${formatDuration(durationMs)}`;
}

function withoutScheme(origin: string): string {
  return origin.replace(/^https?:\/\//, '');
}

/** The runs so far: charts with their change points, and a table with a bar for throughput, newest first. */
function BenchmarkHistory(props: { readonly name: string; readonly runs: readonly Run[] }): JSX.Element {
  const { name, runs } = props;
  const best = Math.max(...runs.map(({ result }) => result?.requests.perSecond ?? 0));
  return (
    <details class="history" open>
      <summary>History, {runs.length} runs</summary>
      <HistoryCharts name={name} runs={runs} />
      <p class="history-links">
        <a href={`/ui/benchmarks/${encodeURIComponent(name)}/compare`}>Compare two runs</a>
      </p>
      <ScrollRegion label="Runs">
        <table>
          <thead>
            <tr>
              <th scope="col">Started</th>
              <th scope="col" class="number">
                Throughput
              </th>
              <th scope="col" class="bar-column">
                <span class="sr-only">Throughput as a share of the best</span>
              </th>
              <th scope="col" class="number">
                p50
              </th>
              <th scope="col" class="number">
                p99
              </th>
              <th scope="col" class="number">
                Failed
              </th>
              <th scope="col">State</th>
            </tr>
          </thead>
          <tbody>
            {runs.map((run) => (
              <Row key={run.id} run={run} best={best} />
            ))}
          </tbody>
        </table>
      </ScrollRegion>
    </details>
  );
}

function Row({ run, best }: { readonly run: Run; readonly best: number }): JSX.Element {
  const { result, status, error, startedAt } = run;
  const perSecond = result?.requests.perSecond;
  const failed =
    result === null ? undefined : result.requests.errors + result.requests.timeouts + result.requests.non2xx;
  return (
    <tr>
      <th scope="row">
        <a href={`/ui/benchmarks/${encodeURIComponent(run.benchmark)}/runs/${encodeURIComponent(run.id)}`}>
          {formatMoment(Date.parse(startedAt))}
        </a>
      </th>
      <td class="number">{perSecond === undefined ? '–' : `${formatCount(perSecond)} req/s`}</td>
      <td class="bar-column">
        {perSecond !== undefined && (
          <span
            class="bar"
            style={{ '--share': best === 0 ? '0' : String(perSecond / best) }}
            aria-hidden="true"
          />
        )}
      </td>
      <td class="number">{formatValue(result?.latencyMs.p50, 'ms')}</td>
      <td class="number">{formatValue(result?.latencyMs.p99, 'ms')}</td>
      <td class={failed ? 'number bad' : 'number'}>{failed === undefined ? '–' : formatCount(failed)}</td>
      <td>
        {status === 'failed'
          ? `failed: ${error ?? 'no reason given'}`
          : result?.partial
            ? 'stopped early'
            : status}
      </td>
    </tr>
  );
}
