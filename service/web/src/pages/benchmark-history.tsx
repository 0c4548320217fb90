import type { JSX } from 'preact';
import type { Run } from '../api/benchmarks.ts';
import { formatCount, formatValue } from '../format/format-value.ts';
import { formatMoment } from '../time/range.ts';
import { ScrollRegion } from '../ui/scroll-region.tsx';
import { HistoryCharts } from './history-charts.tsx';

/** The runs so far: charts with their change points, and a table with a bar for throughput, newest first. */
export function BenchmarkHistory(props: {
  readonly name: string;
  readonly runs: readonly Run[];
}): JSX.Element {
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
