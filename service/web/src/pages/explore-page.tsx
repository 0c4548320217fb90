import type { JSX } from 'preact';
import { useId, useMemo, useRef, useState } from 'preact/hooks';
import { labelNames, labelValues, queryRange, targets } from '../api/prometheus.ts';
import { loadSettings } from '../api/settings.ts';
import { complete } from '../model/complete.ts';
import type { Dashboard, Panel as PanelModel } from '../model/dashboard.ts';
import { parseDuration } from '../model/time-range.ts';
import { DashboardProvider } from '../panels/dashboard-context.ts';
import { Panel } from '../panels/panel.tsx';
import { changeSearch, useLocation } from '../ui/router.ts';
import { useAsync } from '../ui/use-async.ts';
import { Toolbar } from './dashboard-view.tsx';
import { useDashboardState } from './use-dashboard.ts';

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

/** A line of PromQL with completion: arrow keys choose, Tab or Enter take, Escape closes, Enter alone runs. */
function QueryInput(props: {
  readonly value: string;
  readonly known: { readonly metrics: readonly string[]; readonly labels: readonly string[] };
  readonly onRun: (expr: string) => void;
}): JSX.Element {
  const { value, known, onRun } = props;
  const input = useRef<HTMLInputElement>(null);
  const [text, setText] = useState(value);
  const [cursor, setCursor] = useState<number | undefined>(undefined);
  const [chosen, setChosen] = useState(0);
  const id = useId();
  const { from, to, candidates } =
    cursor === undefined ? { from: 0, to: 0, candidates: [] } : complete(text, cursor, known);
  const open = candidates.length > 0;

  const take = (name: string | undefined): void => {
    if (name === undefined) return;
    setText(text.slice(0, from) + name + text.slice(to));
    setCursor(undefined);
    const end = from + name.length;
    requestAnimationFrame(() => input.current?.setSelectionRange(end, end));
    input.current?.focus();
  };
  const key = (event: KeyboardEvent): void => {
    if (event.key === 'ArrowDown' && open) setChosen((chosen + 1) % candidates.length);
    else if (event.key === 'ArrowUp' && open) setChosen((chosen + candidates.length - 1) % candidates.length);
    else if (event.key === 'Escape' && open) setCursor(undefined);
    else if ((event.key === 'Tab' || event.key === 'Enter') && open && !event.shiftKey)
      take(candidates[chosen]);
    else if (event.key === 'Enter') onRun(text);
    else return;
    event.preventDefault();
  };
  return (
    <form
      class="query"
      onSubmit={(event) => {
        event.preventDefault();
        setCursor(undefined);
        onRun(text);
      }}
    >
      <div class="query-field">
        <input
          ref={input}
          class="query-input"
          value={text}
          placeholder="sum by (http_route) (rate(http_server_request_duration_seconds_count[1m]))"
          aria-label="PromQL expression"
          role="combobox"
          aria-expanded={open}
          aria-controls={id}
          aria-autocomplete="list"
          aria-activedescendant={open ? `${id}-${chosen}` : undefined}
          autocomplete="off"
          spellcheck={false}
          onInput={(event) => {
            setText(event.currentTarget.value);
            setCursor(event.currentTarget.selectionStart ?? undefined);
            setChosen(0);
          }}
          onKeyDown={key}
          onBlur={() => setTimeout(() => setCursor(undefined), 150)}
        />
        <div class="completions" id={id} role="listbox" aria-label="Completions" hidden={!open}>
          {candidates.map((name, index) => (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are the input's
            // biome-ignore lint/a11y/useFocusableInteractive: the input keeps the focus and names the active option
            <div
              key={name}
              id={`${id}-${index}`}
              role="option"
              aria-selected={index === chosen}
              onClick={() => take(name)}
            >
              {name}
            </div>
          ))}
        </div>
      </div>
      <button type="submit" class="primary">
        Run
      </button>
    </form>
  );
}

/** What the page must know of the store to ask it well. */
interface StoreFacts {
  /** The longest scrape interval of the targets. */
  readonly scrapeIntervalMs: number;
  /** Time of the first sample, if the store is younger than the wanted range. */
  readonly oldestMs: number | undefined;
  /** Where traces are shown, with `{traceId}`; as configured under `page.traceUrl`. */
  readonly traceUrl: string | undefined;
}

/**
 * Asked once, and again every few refreshes: a fresh store grows under the reader's eyes.
 *
 * @param wantedMs length of the range that the dashboard would show
 */
export function useStoreFacts(wantedMs: number, ticks: number): StoreFacts {
  const interval = useAsync(scrapeInterval, []);
  const oldest = useAsync((signal) => oldestSample(wantedMs, signal), [wantedMs, Math.floor(ticks / 3)]);
  const settings = useAsync(loadSettings, []);
  return {
    scrapeIntervalMs: interval.data ?? 15_000,
    oldestMs: oldest.data,
    traceUrl: settings.data?.traceUrl ?? undefined,
  };
}

async function scrapeInterval(signal: AbortSignal): Promise<number> {
  const all = await targets(signal);
  const intervals = all.flatMap(({ scrapeInterval }) => parseDuration(scrapeInterval ?? '') ?? []);
  return intervals.length === 0 ? 15_000 : Math.max(...intervals);
}

async function oldestSample(wantedMs: number, signal: AbortSignal): Promise<number | undefined> {
  const stepMs = Math.max(1000, Math.round(wantedMs / 60));
  const toMs = Date.now();
  const fromMs = toMs - 60 * stepMs;
  const [count] = await queryRange('count(up)', { fromMs, toMs }, stepMs, signal);
  const first = count?.values[0]?.[0];
  if (first === undefined || first * 1000 <= fromMs) return undefined;
  return first * 1000 - stepMs;
}
