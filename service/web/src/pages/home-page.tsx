import type { JSX } from 'preact';
import { loadDashboard } from '../api/dashboards.ts';
import { useAsync } from '../ui/use-async.ts';
import { Benchmarks } from './benchmarks.tsx';
import { DashboardView } from './dashboard-view.tsx';
import { TargetsStrip } from './targets-page.tsx';

/** Targets, the overview dashboard, benchmarks: the state of everything on one page. */
export function HomePage(): JSX.Element {
  const { data, error } = useAsync(() => loadDashboard('weir-overview'), []);
  return (
    <>
      <h1 class="sr-only">Overview</h1>
      <TargetsStrip />
      {data !== undefined && <DashboardView dashboard={data} />}
      {data === undefined && error === undefined && (
        <div class="dashboard-waiting" role="status" aria-label="Loading" />
      )}
      {data === undefined && error !== undefined && (
        <div class="page">
          <p role="alert">The overview cannot be shown. {error}</p>
        </div>
      )}
      <section class="section benchmarks-section" aria-label="Benchmarks">
        <h2 class="row-title">
          <span class="row-mark" aria-hidden="true" />
          Benchmarks
        </h2>
        <Benchmarks />
      </section>
    </>
  );
}
