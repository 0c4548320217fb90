import type { SpeedscopeFile } from '../model/flame.ts';
import { requestJson } from './http.ts';

/** Sent a few times a second while a run is under way. */
export interface Progress {
  readonly phase: 'warmup' | 'running';
  readonly elapsedMs: number;
  readonly totalMs: number;
  readonly requests: number;
  readonly errors: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** The parts of a result that the page shows. */
export interface Result {
  readonly target: string;
  readonly load:
    | { readonly mode: 'closed'; readonly connections: number }
    | { readonly mode: 'open'; readonly rate: number };
  readonly durationMs: number;
  readonly partial: boolean;
  readonly requests: {
    readonly total: number;
    readonly ok: number;
    readonly non2xx: number;
    readonly errors: number;
    readonly timeouts: number;
    readonly perSecond: number;
  };
  readonly latencyMs: Readonly<
    Record<'min' | 'mean' | 'p50' | 'p90' | 'p95' | 'p99' | 'p999' | 'max', number>
  >;
  readonly bytesPerSecond: number;
  readonly timeline: readonly {
    readonly atMs: number;
    readonly requestsPerSecond: number;
    readonly p50Ms: number;
    readonly p99Ms: number;
    readonly errors: number;
  }[];
  readonly environment: {
    readonly node: string;
    readonly cpu: string;
    readonly cores: number;
    readonly commit?: string;
  };
}

/** One run, ended or under way. */
export interface Run {
  readonly id: string;
  readonly benchmark: string;
  readonly status: 'queued' | 'running' | 'finished' | 'failed' | 'cancelled';
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly result: Result | null;
  readonly error: string | null;
}

export interface Benchmark {
  readonly name: string;
  /** Name of the scenario's file; `null` where results only come from elsewhere. */
  readonly scenario: string | null;
  readonly lastRun: Run | null;
  readonly running: Run | null;
}

const runsOf = (name: string): string => `/benchmarks/${encodeURIComponent(name)}/runs`;

/** The configured benchmarks. */
export function listBenchmarks(): Promise<readonly Benchmark[]> {
  return requestJson('/benchmarks');
}

/** Runs of one benchmark, newest first. */
export function listRuns(name: string, limit: number): Promise<readonly Run[]> {
  return requestJson(`${runsOf(name)}?limit=${limit}`);
}

/** One run. */
export function loadRun(name: string, id: string): Promise<Run> {
  return requestJson(`${runsOf(name)}/${encodeURIComponent(id)}`);
}

/** A file that a run left behind. */
export interface Artefact {
  readonly name: string;
  readonly type: string;
  readonly bytes: number;
}

/** The files of a run. */
export function listArtefacts(name: string, id: string): Promise<readonly Artefact[]> {
  return requestJson(`${runsOf(name)}/${encodeURIComponent(id)}/artefacts`);
}

/** Where a file of a run is had. */
export function artefactUrl(run: Run, file: string): string {
  return `${runsOf(run.benchmark)}/${encodeURIComponent(run.id)}/artefacts/${encodeURIComponent(file)}`;
}

/** The profile of a run. */
export function loadSpeedscope(run: Run): Promise<SpeedscopeFile> {
  return requestJson(artefactUrl(run, 'speedscope.json'));
}

/** One figure of two runs. */
export interface ComparedMetric {
  readonly metric: string;
  readonly base: number;
  readonly head: number;
  /** A share; `null` where base is 0. */
  readonly change: number | null;
  /** What a run of the same build may differ by, as a share; `null` with too little history. */
  readonly noise: number | null;
  readonly verdict: string;
}

/** Two runs and what their differences mean. */
export interface Comparison {
  readonly base: Run;
  readonly head: Run;
  readonly metrics: readonly ComparedMetric[];
  /** Of the whole. */
  readonly verdict: string;
  /** Reasons not to believe it. */
  readonly doubts: readonly string[];
}

/** Compares two runs of one benchmark. */
export function compareRuns(name: string, base: string, head: string): Promise<Comparison> {
  return requestJson(
    `/benchmarks/${encodeURIComponent(name)}/comparison?${new URLSearchParams({ base, head })}`,
  );
}

/** A lasting change in a benchmark's history. */
export interface HistoryChange {
  readonly metric: 'perSecond' | 'p50' | 'p99';
  readonly change: number;
  readonly worse: boolean;
  readonly startedAt: string;
  readonly commit?: string;
}

/** Where the history changed. */
export function listChanges(name: string): Promise<readonly HistoryChange[]> {
  return requestJson(`/benchmarks/${encodeURIComponent(name)}/changes`);
}

/** Starts a run; fails with status 409 while another one is under way. */
export function startRun(name: string): Promise<Run> {
  return requestJson(runsOf(name), { method: 'POST' });
}

/** Ends a run early; it becomes `cancelled`. */
export function cancelRun(run: Run): Promise<unknown> {
  return requestJson(`${runsOf(run.benchmark)}/${encodeURIComponent(run.id)}`, { method: 'DELETE' });
}

/** Follows a run until it ends. Returns a function that stops listening; the run goes on. */
export function followRun(
  run: Run,
  on: { progress(progress: Progress): void; end(run: Run): void; lost(): void },
): () => void {
  const source = new EventSource(`${runsOf(run.benchmark)}/${encodeURIComponent(run.id)}/events`);
  source.addEventListener('progress', (event) => on.progress(JSON.parse(event.data) as Progress));
  source.addEventListener('end', (event) => {
    source.close();
    on.end(JSON.parse(event.data) as Run);
  });
  source.addEventListener('error', () => on.lost());
  return () => source.close();
}
