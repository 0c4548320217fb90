import type { JSX } from 'preact';
import { useId, useMemo, useState } from 'preact/hooks';
import { loadDashboard } from '../api/dashboards.ts';
import {
  type Dashboard,
  type Panel as PanelModel,
  placeInSection,
  type Section,
  sections,
} from '../model/dashboard.ts';
import { describeRange, quickRanges } from '../model/time-range.ts';
import { DashboardProvider } from '../panels/dashboard-context.ts';
import { Panel } from '../panels/panel.tsx';
import { dashboardLabel } from '../ui/shell.tsx';
import { useAsync } from '../ui/use-async.ts';
import { type DashboardState, useDashboardState, type VariableState } from './use-dashboard.ts';

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

const defaultIntervals = ['5s', '10s', '30s', '1m', '5m'];

/** Variables on the left, time on the right; stays in sight while panels scroll. */
export function Toolbar(props: {
  readonly dashboard: Dashboard;
  readonly state: DashboardState;
}): JSX.Element {
  const { dashboard, state } = props;
  const { raw, chosen } = state;
  const intervals = dashboard.timepicker?.refresh_intervals ?? defaultIntervals;
  const listed = raw.to === 'now' && quickRanges.some(({ from }) => from === raw.from);
  return (
    <div class="toolbar" role="toolbar" aria-label="Variables and time">
      <div class="toolbar-group">
        {state.variables.map((variable) => (
          <VariableSelect key={variable.name} variable={variable} />
        ))}
        {state.annotations.map(({ name, shown, toggle }) => (
          <button key={name} type="button" class="quiet toggle" aria-pressed={shown} onClick={toggle}>
            {name}
          </button>
        ))}
      </div>
      <div class="toolbar-group">
        <span class="time-steps">
          <button type="button" class="quiet" title="Earlier" onClick={() => state.move(-0.5)}>
            <span aria-hidden="true">‹</span>
            <span class="sr-only">Earlier</span>
          </button>
          <button type="button" class="quiet" title="Show twice as much time" onClick={state.widen}>
            <span aria-hidden="true">−</span>
            <span class="sr-only">Show twice as much time</span>
          </button>
          <button
            type="button"
            class="quiet"
            title="Later"
            disabled={raw.to === 'now'}
            onClick={() => state.move(0.5)}
          >
            <span aria-hidden="true">›</span>
            <span class="sr-only">Later</span>
          </button>
        </span>
        {chosen && (
          <button type="button" class="quiet" onClick={state.resetRange}>
            Reset time
          </button>
        )}
        <label class="field">
          <span class="sr-only">Time range</span>
          <select
            value={listed ? raw.from : 'chosen'}
            onChange={(event) => {
              const from = event.currentTarget.value;
              if (from !== 'chosen') state.setRange({ from, to: 'now' });
            }}
          >
            {!listed && <option value="chosen">{describeRange(raw)}</option>}
            {quickRanges.map(({ from, label }) => (
              <option key={from} value={from}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <label class="field">
          <span class="field-name">Refresh</span>
          <select value={state.refresh} onChange={(event) => state.setRefresh(event.currentTarget.value)}>
            <option value="">off</option>
            {intervals.map((interval) => (
              <option key={interval} value={interval}>
                {interval}
              </option>
            ))}
          </select>
        </label>
      </div>
    </div>
  );
}

/** A choice of several values, or all, in a popover of check boxes. */
function VariableSelect({ variable }: { readonly variable: VariableState }): JSX.Element {
  const { label, options, selected, error, select } = variable;
  const id = useId();
  const shown = selected.length === 0 ? 'All' : selected.join(', ');
  // A choice that no series carries any more stays listed, so that it can be taken back.
  const listed = [...options, ...selected.filter((value) => !options.includes(value))];
  const toggle = (value: string): void =>
    select(selected.includes(value) ? selected.filter((one) => one !== value) : [...selected, value]);
  const place = (event: Event): void => {
    const box = event.currentTarget as HTMLElement;
    const anchor = box.previousElementSibling?.getBoundingClientRect();
    if (anchor === undefined) return;
    box.style.top = `${Math.round(anchor.bottom + 4)}px`;
    box.style.left = `${Math.round(Math.max(8, Math.min(anchor.left, innerWidth - 268)))}px`;
  };
  return (
    <div class="variable">
      <button type="button" class="field variable-button" popovertarget={id}>
        <span class="field-name">{label}</span>
        <span class="variable-value">{shown}</span>
      </button>
      <div id={id} popover="auto" class="variable-menu" onBeforeToggle={place}>
        <fieldset>
          <legend>{label}</legend>
          <label class="choice">
            <input type="checkbox" checked={selected.length === 0} onChange={() => select([])} />
            All
          </label>
          {listed.map((value) => (
            <label class="choice" key={value}>
              <input type="checkbox" checked={selected.includes(value)} onChange={() => toggle(value)} />
              {value}
            </label>
          ))}
          {error !== undefined && <p role="alert">{error}</p>}
        </fieldset>
      </div>
    </div>
  );
}
