import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { AlertsPage } from './pages/alerts-page.tsx';
import { BenchmarksPage } from './pages/benchmarks-page.tsx';
import { ComparisonPage } from './pages/comparison-page.tsx';
import { ConnectPage } from './pages/connect-page.tsx';
import { DashboardPage } from './pages/dashboard-view.tsx';
import { ExplorePage } from './pages/explore-page.tsx';
import { HomePage } from './pages/home-page.tsx';
import { RunPage } from './pages/run-page.tsx';
import { TargetsPage } from './pages/targets-page.tsx';
import { interceptLinks, useLocation } from './ui/router.ts';
import { Shell } from './ui/shell.tsx';

/** The page for the location. */
export function App(): JSX.Element {
  const { path } = useLocation();
  const page = pageOf(path);
  useEffect(() => {
    document.title = page.title === '' ? 'Weir' : `${page.title} · Weir`;
  }, [page.title]);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: only links inside react
    // biome-ignore lint/a11y/useKeyWithClickEvents: Enter on a link is a click
    <div class="app" onClick={interceptLinks}>
      <Shell path={path}>{page.content}</Shell>
    </div>
  );
}

function pageOf(path: string): { readonly title: string; readonly content: JSX.Element } {
  const dashboard = /^\/ui\/dashboards\/([\w-]+)$/.exec(path)?.[1];
  if (dashboard !== undefined) {
    return { title: 'Dashboard', content: <DashboardPage key={dashboard} uid={dashboard} /> };
  }
  const compared = /^\/ui\/benchmarks\/([^/]+)\/compare$/.exec(path)?.[1];
  if (compared !== undefined) {
    return { title: 'Compare runs', content: <ComparisonPage name={decodeURIComponent(compared)} /> };
  }
  const [, benchmark, run] = /^\/ui\/benchmarks\/([^/]+)\/runs\/([^/]+)$/.exec(path) ?? [];
  if (benchmark !== undefined && run !== undefined) {
    const content = <RunPage name={decodeURIComponent(benchmark)} id={decodeURIComponent(run)} />;
    return { title: 'Run', content };
  }
  if (path === '/ui/targets') return { title: 'Targets', content: <TargetsPage /> };
  if (path === '/ui/explore') return { title: 'Explore', content: <ExplorePage /> };
  if (path === '/ui/alerts') return { title: 'Alerts', content: <AlertsPage /> };
  if (path === '/ui/connect') return { title: 'Connect Grafana', content: <ConnectPage /> };
  if (path === '/ui/benchmarks') return { title: 'Benchmarks', content: <BenchmarksPage /> };
  if (path === '/') return { title: '', content: <HomePage /> };
  return {
    title: 'Not found',
    content: (
      <div class="page">
        <h1>There is no such page</h1>
        <p>
          Nothing is at <code>{path}</code>. <a href="/">The overview</a> shows all targets.
        </p>
      </div>
    ),
  };
}
