import type { JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import type { Dashboard, Panel as PanelModel } from '../model/dashboard.ts';
import { placeInSection, type Section, sections } from '../model/layout.ts';
import { DashboardProvider } from '../panels/dashboard-context.ts';
import { Panel } from '../panels/panel.tsx';
import { dashboardLabel } from '../ui/shell.tsx';
import { Toolbar } from './toolbar.tsx';
import { useDashboardState } from './use-dashboard-state.ts';

/** A dashboard with its toolbar: every panel of the JSON at its place. */
export function DashboardView(props: {
  readonly dashboard: Dashboard;
  /** Shows title and description above. */
  readonly heading?: boolean;
}): JSX.Element {
  const { dashboard, heading } = props;
  const state = useDashboardState(dashboard);
  const parts = useMemo(() => sections(dashboard.panels), [dashboard]);
  return (
    <>
      <Toolbar dashboard={dashboard} state={state} />
      {heading && (
        <div class="dashboard-head">
          <h1>{dashboardLabel(dashboard.title)}</h1>
          <p>{dashboard.description}</p>
        </div>
      )}
      <DashboardProvider value={state.context}>
        <div class="dashboard">
          {parts.map((section, index) => (
            <SectionView key={section.row?.id ?? `top-${index}`} section={section} />
          ))}
        </div>
      </DashboardProvider>
    </>
  );
}

function SectionView({ section: { row, panels } }: { readonly section: Section }): JSX.Element {
  const [open, setOpen] = useState(row?.collapsed !== true);
  const grid = open ? <Grid panels={panels} /> : null;
  if (row === undefined) return <div class="section section-top">{grid}</div>;
  return (
    <section class="section" aria-label={row.title}>
      <h2>
        <button type="button" class="row-title" aria-expanded={open} onClick={() => setOpen(!open)}>
          <span class="row-mark" aria-hidden="true" />
          {row.title}
        </button>
      </h2>
      {grid}
    </section>
  );
}

function Grid({ panels }: { readonly panels: readonly PanelModel[] }): JSX.Element {
  const top = Math.min(...panels.map(({ gridPos }) => gridPos.y));
  return (
    <div class="grid">
      {panels.map((panel) => (
        <div key={panel.id} class={`cell cell-${panel.type}`} style={placeInSection(panel.gridPos, top)}>
          <Panel panel={panel} />
        </div>
      ))}
    </div>
  );
}
