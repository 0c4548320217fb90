import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import { type HistoryChange, listChanges, type Run } from '../api/benchmarks.ts';
import { Chart } from '../charts/chart.tsx';
import type { ChartMark, ChartModel } from '../model/chart-model.ts';
import { useAsync } from '../ui/use-async.ts';
import { change } from './run-result.tsx';

/** Throughput and latency of run after run, with a mark where a lasting change was found. */
export function HistoryCharts(props: {
  readonly name: string;
  readonly runs: readonly Run[];
}): JSX.Element | null {
  const { name, runs } = props;
  const { data: changes = [] } = useAsync(() => listChanges(name), [name, runs]);
  const whole = useMemo(
    () => runs.filter(({ result }) => result !== null && !result.partial).toReversed(),
    [runs],
  );
  const throughput = useMemo(
    () =>
      historyModel(whole, 'reqps', marksOf(changes, ['perSecond']), [
        { name: 'requests/s', color: 'var(--series-1)', of: (run) => run.result?.requests.perSecond },
      ]),
    [whole, changes],
  );
  const latency = useMemo(
    () =>
      historyModel(whole, 'ms', marksOf(changes, ['p50', 'p99']), [
        { name: 'p50', color: 'var(--g-blue)', of: (run) => run.result?.latencyMs.p50 },
        { name: 'p99', color: 'var(--g-orange)', of: (run) => run.result?.latencyMs.p99 },
      ]),
    [whole, changes],
  );
  if (whole.length < 2) return null;
  const first = throughput.times[0] ?? 0;
  const last = throughput.times.at(-1) ?? first;
  const air = Math.max(1, (last - first) * 0.02);
  const range = [first - air, last + air] as const;
  return (
    <div class="course">
      <figure>
        <figcaption>Throughput by run</figcaption>
        <div class="course-chart">
          <Chart model={throughput} range={range} label={`Throughput of the last ${whole.length} runs`} />
        </div>
      </figure>
      <figure>
        <figcaption>
          Latency by run <span class="swatch key-blue" /> p50 <span class="swatch key-orange" /> p99
        </figcaption>
        <div class="course-chart">
          <Chart model={latency} range={range} label={`Latency of the last ${whole.length} runs`} />
        </div>
      </figure>
    </div>
  );
}

function historyModel(
  runs: readonly Run[],
  unit: string,
  marks: readonly ChartMark[],
  lines: readonly { readonly name: string; readonly color: string; of(run: Run): number | undefined }[],
): ChartModel {
  return {
    times: runs.map(({ startedAt }) => Date.parse(startedAt) / 1000),
    series: lines.map(({ name, color, of }) => ({
      name,
      color,
      values: runs.map((run) => of(run) ?? null),
      fillOpacity: 6,
      lineWidth: 1.5,
      dots: true,
      unit,
      decimals: undefined,
    })),
    stacked: false,
    log: false,
    unit,
    decimals: undefined,
    min: 0,
    max: undefined,
    limits: [],
    marks,
  };
}

function marksOf(
  changes: readonly HistoryChange[],
  metrics: readonly HistoryChange['metric'][],
): readonly ChartMark[] {
  return changes
    .filter(({ metric }) => metrics.includes(metric))
    .map(({ metric, startedAt, worse, change: share, commit }) => ({
      at: Date.parse(startedAt) / 1000,
      color: worse ? 'var(--g-red)' : 'var(--g-green)',
      text: `${metric === 'perSecond' ? 'throughput' : metric} ${change(1 + share, 1) ?? ''} from here${commit === undefined ? '' : `, commit ${commit.slice(0, 8)}`}`,
    }));
}
