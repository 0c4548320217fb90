import type { BenchmarkProgress, HistoryChange } from '@weir/bench';
import type { Comparison } from '../../../src/benchmarks/compare-runs.ts';
import type { Run } from '../../../src/benchmarks/run-store.ts';
import type { ArtefactEntry } from '../../../src/http/benchmark-result-routes.ts';
import type { BenchmarkEntry } from '../../../src/http/benchmark-routes.ts';
import type { SpeedscopeFile } from '../model/flame.ts';
import { requestJson } from './http.ts';

export type { BenchmarkProgress, BenchmarkResult, HistoryChange } from '@weir/bench';
export type { ArtefactEntry, BenchmarkEntry, Comparison, Run };

const runsOf = (name: string): string => `/benchmarks/${encodeURIComponent(name)}/runs`;

/** The configured benchmarks. */
export function listBenchmarks(): Promise<readonly BenchmarkEntry[]> {
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

/** The files of a run. */
export function listArtefacts(name: string, id: string): Promise<readonly ArtefactEntry[]> {
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

/** Compares two runs of one benchmark. */
export function compareRuns(name: string, base: string, head: string): Promise<Comparison> {
  return requestJson(
    `/benchmarks/${encodeURIComponent(name)}/comparison?${new URLSearchParams({ base, head })}`,
  );
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
  on: { progress(progress: BenchmarkProgress): void; end(run: Run): void; lost(): void },
): () => void {
  const source = new EventSource(`${runsOf(run.benchmark)}/${encodeURIComponent(run.id)}/events`);
  source.addEventListener('progress', (event) => on.progress(JSON.parse(event.data) as BenchmarkProgress));
  source.addEventListener('end', (event) => {
    source.close();
    on.end(JSON.parse(event.data) as Run);
  });
  source.addEventListener('error', () => on.lost());
  return () => source.close();
}
