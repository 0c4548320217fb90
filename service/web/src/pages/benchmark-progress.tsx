import type { JSX } from 'preact';
import type { Progress } from '../api/benchmarks.ts';
import { Sparkline } from '../charts/sparkline.tsx';
import { formatCount, formatValue } from '../format/format-value.ts';

/** A run under way: how far it is, and its numbers so far. */
export function BenchmarkProgress(props: {
  readonly progress: readonly Progress[];
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

function phaseOf(latest: Progress | undefined, queued: boolean): string {
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
