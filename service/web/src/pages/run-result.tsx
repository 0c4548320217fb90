import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import type { BenchmarkProgress, BenchmarkResult, Run } from '../api/benchmarks.ts';
import { Chart } from '../charts/chart.tsx';
import { Sparkline } from '../charts/sparkline.tsx';
import { formatCount, formatValue } from '../model/format-value.ts';
import { formatAge, formatMoment } from '../model/time-range.ts';
import { courseModel } from './course.ts';

/** The last result: its figures, each against the run before, and the course of the run. */
export function RunResult(props: {
  readonly run: Run;
  readonly result: BenchmarkResult;
  readonly previous: BenchmarkResult | undefined;
}): JSX.Element {
  const { run, result, previous } = props;
  const { requests, latencyMs, environment, timeline } = result;
  const failed = requests.errors + requests.timeouts + requests.non2xx;
  const started = Date.parse(run.startedAt);
  return (
    <div class="benchmark-result">
      <p class="benchmark-when">
        <time dateTime={run.startedAt} title={formatMoment(started)}>
          {formatAge(Date.now() - started)}
        </time>
        {environment.commit !== undefined && <> · commit {environment.commit.slice(0, 8)}</>} · Node{' '}
        {environment.node.replace(/^v/, '')} · {environment.cores} cores
        {result.partial && ' · stopped before its end'}
      </p>
      <dl class="figures">
        <Figure
          label="Throughput"
          value={`${formatCount(requests.perSecond)} req/s`}
          note={change(requests.perSecond, previous?.requests.perSecond)}
          main
        />
        <Figure
          label="p50"
          value={formatValue(latencyMs.p50, 'ms')}
          note={change(latencyMs.p50, previous?.latencyMs.p50)}
        />
        <Figure
          label="p99"
          value={formatValue(latencyMs.p99, 'ms')}
          note={change(latencyMs.p99, previous?.latencyMs.p99)}
        />
        <Figure label="p99.9" value={formatValue(latencyMs.p999, 'ms')} />
        <Figure label="Max" value={formatValue(latencyMs.max, 'ms')} />
        <Figure label="Requests" value={formatCount(requests.total)} />
        <Figure label="Failed" value={formatCount(failed)} bad={failed > 0} />
      </dl>
      {timeline.length > 1 && <Course timeline={timeline} />}
    </div>
  );
}

/** The run second by second, throughput beside latency. */
function Course({ timeline }: { readonly timeline: BenchmarkResult['timeline'] }): JSX.Element {
  const [throughput, latency] = useMemo(() => {
    const times = timeline.map(({ atMs }) => atMs / 1000);
    const values = (of: (point: BenchmarkResult['timeline'][number]) => number): number[] => timeline.map(of);
    return [
      courseModel(times, 'reqps', [
        { name: 'requests/s', color: 'var(--series-1)', values: values((point) => point.requestsPerSecond) },
      ]),
      courseModel(times, 'ms', [
        { name: 'p50', color: 'var(--g-blue)', values: values((point) => point.p50Ms) },
        { name: 'p99', color: 'var(--g-orange)', values: values((point) => point.p99Ms) },
      ]),
    ] as const;
  }, [timeline]);
  const range: readonly [number, number] = [0, (timeline.at(-1)?.atMs ?? 0) / 1000];
  return (
    <div class="course">
      <figure>
        <figcaption>Throughput</figcaption>
        <div class="course-chart">
          <Chart model={throughput} range={range} label="Throughput during the run" />
        </div>
      </figure>
      <figure>
        <figcaption>
          Latency <span class="swatch key-blue" /> p50 <span class="swatch key-orange" /> p99
        </figcaption>
        <div class="course-chart">
          <Chart model={latency} range={range} label="Latency during the run" />
        </div>
      </figure>
    </div>
  );
}

/** `+3.2 %` against the run before; nothing without one. */
export function change(now: number, before: number | undefined): string | undefined {
  if (before === undefined || before === 0) return undefined;
  const percent = (now / before - 1) * 100;
  if (Math.abs(percent) < 0.05) return '±0 %';
  return `${percent > 0 ? '+' : '−'}${Math.abs(percent).toFixed(1)} %`;
}

/** A run under way: how far it is, and its numbers so far. */
export function RunProgress(props: {
  readonly progress: readonly BenchmarkProgress[];
  readonly queued: boolean;
}): JSX.Element {
  const { progress, queued } = props;
  const latest = progress.at(-1);
  const phase = phaseOf(latest, queued);
  const share = latest === undefined ? 0 : Math.min(1, latest.elapsedMs / Math.max(1, latest.totalMs));
  return (
    <div class="benchmark-progress">
      <div class="progress-line">
        <span role="status">{phase}</span>
        <progress value={share} max={1} aria-label="Progress of the run" />
        <span class="progress-time">
          {latest === undefined
            ? ''
            : `${Math.round(latest.elapsedMs / 1000)} of ${Math.round(latest.totalMs / 1000)} s`}
        </span>
      </div>
      <dl class="figures">
        <Figure label="Throughput" value={latest && `${formatCount(latest.requestsPerSecond)} req/s`} main>
          <Sparkline values={progress.map(({ requestsPerSecond }) => requestsPerSecond)} />
        </Figure>
        <Figure label="p50" value={latest && formatValue(latest.p50Ms, 'ms')} />
        <Figure label="p99" value={latest && formatValue(latest.p99Ms, 'ms')} />
        <Figure label="Requests" value={latest && formatCount(latest.requests)} />
        <Figure label="Errors" value={latest && formatCount(latest.errors)} bad={(latest?.errors ?? 0) > 0} />
      </dl>
    </div>
  );
}

function phaseOf(latest: BenchmarkProgress | undefined, queued: boolean): string {
  if (latest !== undefined) return latest.phase === 'warmup' ? 'Warming up' : 'Measuring';
  return queued ? 'Waiting for the run before it' : 'Starting';
}

/** A number with its name, and what it was before where that is known. */
export function Figure(props: {
  readonly label: string;
  readonly value: string | undefined;
  readonly note?: string | undefined;
  readonly main?: boolean;
  readonly bad?: boolean;
  readonly children?: JSX.Element;
}): JSX.Element {
  const { label, value, note, main, bad, children } = props;
  return (
    <div class={main ? 'figure figure-main' : 'figure'}>
      {children}
      <dt>{label}</dt>
      <dd class={bad ? 'bad' : undefined}>
        {value ?? '–'}
        {note !== undefined && <span class="figure-note">{note}</span>}
      </dd>
    </div>
  );
}
