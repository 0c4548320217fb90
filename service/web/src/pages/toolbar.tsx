import type { JSX } from 'preact';
import type { Dashboard } from '../model/dashboard.ts';
import { describeRange, quickRanges } from '../time/range.ts';
import type { DashboardState } from './use-dashboard-state.ts';
import { VariableSelect } from './variable-select.tsx';

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
