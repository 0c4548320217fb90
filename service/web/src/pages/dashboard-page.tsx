import type { JSX } from 'preact';
import { loadDashboard } from '../api/dashboards.ts';
import { useAsync } from '../ui/use-async.ts';
import { DashboardView } from './dashboard-view.tsx';

/** A dashboard of its own. */
export function DashboardPage({ uid }: { readonly uid: string }): JSX.Element {
  const { data, error } = useAsync(() => loadDashboard(uid), [uid]);
  if (data !== undefined) return <DashboardView dashboard={data} heading />;
  return (
    <div class="page">
      {error === undefined ? <p role="status">Loading the dashboard…</p> : <p role="alert">{error}</p>}
    </div>
  );
}
