import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import { type Comparison, compareRuns, listRuns, type Run } from '../api/benchmarks.ts';
import { Chart } from '../charts/chart.tsx';
import { formatCount, formatValue } from '../model/format-value.ts';
import { formatMoment } from '../model/time-range.ts';
import { ScrollRegion } from '../ui/popover.tsx';
import { changeSearch, useLocation } from '../ui/router.ts';
import { useAsync } from '../ui/use-async.ts';
import { comparedCourse } from './course.ts';

const offered = 100;

/** Two runs of a benchmark side by side: figures with what their difference means, and both courses in one chart. */
export function ComparisonPage({ name }: { readonly name: string }): JSX.Element {
  const { search } = useLocation();
  const runs = useAsync(() => listRuns(name, offered), [name]);
  const ended = (runs.data ?? []).filter(({ result }) => result !== null);
  const head = search.get('head') ?? ended[0]?.id;
  const base = search.get('base') ?? ended.find(({ id }) => id !== head)?.id;
  return (
    <div class="page page-wide">
      <h1>Compare runs of {name}</h1>
      {runs.error !== undefined && <p role="alert">{runs.error}</p>}
      {runs.data !== undefined && ended.length < 2 && (
        <p class="lead">
          Two runs with results are needed; there {ended.length === 1 ? 'is one' : 'is none'} yet.
        </p>
      )}
      {ended.length >= 2 && (
        <div class="compare-choice">
          <RunSelect label="Base" runs={ended} value={base} onChange={(id) => changeSearch({ base: id })} />
          <button
            type="button"
            class="quiet"
            onClick={() => changeSearch({ base: head, head: base })}
            title="Exchange base and head"
          >
            <span aria-hidden="true">⇄</span>
            <span class="sr-only">Exchange base and head</span>
          </button>
          <RunSelect label="Head" runs={ended} value={head} onChange={(id) => changeSearch({ head: id })} />
        </div>
      )}
      {base !== undefined && head !== undefined && <Compared name={name} base={base} head={head} />}
    </div>
  );
}

function RunSelect(props: {
  readonly label: string;
  readonly runs: readonly Run[];
  readonly value: string | undefined;
  onChange(id: string): void;
}): JSX.Element {
  const { label, runs, value, onChange } = props;
  return (
    <label class="field">
      <span class="field-name">{label}</span>
      <select value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {runs.map(({ id, startedAt, result }) => (
          <option key={id} value={id}>
            {formatMoment(Date.parse(startedAt))}
            {result?.environment.commit === undefined ? '' : ` · ${result.environment.commit.slice(0, 8)}`}
          </option>
        ))}
      </select>
    </label>
  );
}

function Compared(props: {
  readonly name: string;
  readonly base: string;
  readonly head: string;
}): JSX.Element {
  const { name, base, head } = props;
  const { data, error } = useAsync(() => compareRuns(name, base, head), [name, base, head]);
  if (error !== undefined) return <p role="alert">{error}</p>;
  if (data === undefined) return <p role="status">Comparing…</p>;
  return (
    <>
      <p class="compare-verdict" role="status">
        Head is <b class={tones[data.verdict]}>{overall[data.verdict] ?? data.verdict}</b>.
      </p>
      {data.doubts.map((doubt) => (
        <p key={doubt} class="benchmark-error">
          {doubt}
        </p>
      ))}
      <Figures comparison={data} />
      <Courses comparison={data} />
      <p class="lead">
        Single runs carry no spread of their own: a difference counts when it is more than a further run of
        the same build would show by chance. For a verdict to rest a release on, let{' '}
        <code>weir-bench compare</code> run both builds side by side.
      </p>
    </>
  );
}

const units: Readonly<Record<string, { readonly label: string; readonly unit: string }>> = {
  requestsPerSecond: { label: 'Throughput', unit: 'reqps' },
  p50Ms: { label: 'p50', unit: 'ms' },
  p90Ms: { label: 'p90', unit: 'ms' },
  p99Ms: { label: 'p99', unit: 'ms' },
  p999Ms: { label: 'p99.9', unit: 'ms' },
  errorRatio: { label: 'Errors', unit: 'percentunit' },
};

const overall: Readonly<Record<string, string>> = {
  mixed: 'better in some figures and worse in others',
  unknown: 'not judged: there are too few runs to know what they differ by anyway',
};
const words: Readonly<Record<string, string>> = { unknown: 'too few runs to say' };
const tones: Readonly<Record<string, string>> = { better: 'good', worse: 'bad' };

function Figures({ comparison: { base, head, metrics } }: { readonly comparison: Comparison }): JSX.Element {
  return (
    <ScrollRegion label="Figures of both runs">
      <table class="compare-figures">
        <thead>
          <tr>
            <th scope="col">Figure</th>
            <th scope="col" class="number">
              Base <Report run={base} />
            </th>
            <th scope="col" class="number">
              Head <Report run={head} />
            </th>
            <th scope="col" class="number">
              Change
            </th>
            <th scope="col" class="number">
              Runs differ by
            </th>
            <th scope="col">Verdict</th>
          </tr>
        </thead>
        <tbody>
          {metrics.map(({ metric, base: before, head: after, change, noise, verdict }) => {
            const { label = metric, unit } = units[metric] ?? {};
            const text = (value: number): string =>
              unit === 'reqps' ? `${formatCount(value)} req/s` : formatValue(value, unit);
            return (
              <tr key={metric}>
                <th scope="row">{label}</th>
                <td class="number">{text(before)}</td>
                <td class="number">{text(after)}</td>
                <td class="number">{percent(change, true)}</td>
                <td class="number">{noise === null ? '–' : `±${percent(noise, false)}`}</td>
                <td class={tones[verdict]}>{words[verdict] ?? verdict}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </ScrollRegion>
  );
}

function Report({ run }: { readonly run: Run }): JSX.Element {
  const href = `/benchmarks/${encodeURIComponent(run.benchmark)}/runs/${encodeURIComponent(run.id)}/report`;
  return (
    <a class="report-link" href={href} target="_blank" rel="noreferrer">
      report
    </a>
  );
}

/** `+3.2 %`; a dash where there is nothing to divide by. */
function percent(share: number | null, signed: boolean): string {
  if (share === null) return '–';
  const value = share * 100;
  const sign = value < 0 ? '−' : signed && value > 0 ? '+' : '';
  return `${sign}${Math.abs(value).toFixed(1)} %`;
}

function Courses({ comparison: { base, head } }: { readonly comparison: Comparison }): JSX.Element | null {
  const charts = useMemo(
    () => [
      { title: 'Throughput', model: comparedCourse(base, head, 'reqps', (point) => point.requestsPerSecond) },
      { title: 'Latency p50', model: comparedCourse(base, head, 'ms', (point) => point.p50Ms) },
      { title: 'Latency p99', model: comparedCourse(base, head, 'ms', (point) => point.p99Ms) },
    ],
    [base, head],
  );
  return (
    <div class="course">
      {charts.map(({ title, model }) => (
        <figure key={title}>
          <figcaption>
            {title} <span class="swatch key-base" /> base <span class="swatch key-head" /> head
          </figcaption>
          <div class="course-chart">
            <Chart model={model} range={[0, model.times.at(-1) ?? 0]} label={`${title} of both runs`} />
          </div>
        </figure>
      ))}
    </div>
  );
}
