import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import { labelNames, labelValues } from '../api/prometheus.ts';
import type { Dashboard, Panel as PanelModel } from '../model/dashboard.ts';
import { DashboardProvider } from '../panels/dashboard-context.ts';
import { Panel } from '../panels/panel.tsx';
import { changeSearch, useLocation } from '../ui/router.ts';
import { useAsync } from '../ui/use-async.ts';
import { QueryInput } from './query-input.tsx';
import { Toolbar } from './toolbar.tsx';
import { useDashboardState } from './use-dashboard-state.ts';

const pseudo: Dashboard = {
  uid: 'explore',
  title: 'Explore',
  time: { from: 'now-30m', to: 'now' },
  refresh: '',
  panels: [],
};

/** Any expression as a chart and as a table; the URL holds it. */
export function ExplorePage(): JSX.Element {
  const { search } = useLocation();
  const expr = search.get('expr') ?? '';
  const state = useDashboardState(pseudo);
  const minute = Math.floor(state.context.range.toMs / 60_000);
  const names = useAsync(async () => {
    const { range } = state.context;
    const [metrics, labels] = await Promise.all([
      labelValues('__name__', undefined, range),
      labelNames(range),
    ]);
    return { metrics, labels };
  }, [minute]);
  const panels = useMemo(() => (expr === '' ? [] : panelsFor(expr)), [expr]);
  return (
    <>
      <Toolbar dashboard={pseudo} state={state} />
      <div class="explore">
        <h1>Explore</h1>
        <QueryInput
          key={expr}
          value={expr}
          known={names.data ?? { metrics: [], labels: [] }}
          onRun={(text) => changeSearch({ expr: text.trim() === '' ? undefined : text.trim() })}
        />
        {expr === '' && (
          <p class="lead">
            {names.data === undefined
              ? 'Loading the metrics’ names…'
              : `${names.data.metrics.length} metrics are stored. Type part of a name, choose with the arrow keys, Enter runs.`}
          </p>
        )}
        <DashboardProvider value={state.context}>
          {panels.map((panel) => (
            <div key={panel.id + expr} class={`explore-${panel.type}`}>
              <Panel panel={panel} />
            </div>
          ))}
        </DashboardProvider>
      </div>
    </>
  );
}

function panelsFor(expr: string): readonly PanelModel[] {
  const gridPos = { x: 0, y: 0, w: 24, h: 12 };
  const fieldConfig = {
    defaults: {
      unit: 'short',
      noValue: 'Nothing matches in this range',
      color: { mode: 'palette-classic-by-name' },
      custom: { lineWidth: 1.5, fillOpacity: 4 },
    },
  };
  const target = { refId: 'A', expr };
  const options = { legend: { showLegend: true, calcs: ['lastNotNull'] } };
  return [
    { id: 1, type: 'timeseries', title: 'Over time', gridPos, fieldConfig, options, targets: [target] },
    {
      id: 2,
      type: 'table',
      title: 'Now',
      gridPos,
      fieldConfig,
      options,
      targets: [{ ...target, instant: true }],
    },
  ];
}
