import type { ComponentChildren, JSX, RefObject } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { type Panel as PanelModel, resolveLink } from '../model/dashboard.ts';
import { interpolate } from '../model/variables.ts';
import { Popover } from '../ui/popover.tsx';
import { useAsync } from '../ui/use-async.ts';
import { HeatMapPanel, TimeSeriesPanel } from './chart-panels.tsx';
import { type DashboardContext, useDashboard } from './dashboard-context.ts';
import { loadPanelData, type PanelData } from './panel-data.ts';
import { TablePanel, TextPanel } from './text-panels.tsx';
import { BarGaugePanel, GaugePanel, StatPanel } from './value-panels.tsx';

/** What a kind of panel is given to draw: at least one series with a value. */
export interface PanelView {
  readonly panel: PanelModel;
  readonly data: PanelData;
  readonly dashboard: DashboardContext;
}

const views: Readonly<Record<string, (view: PanelView) => JSX.Element>> = {
  timeseries: TimeSeriesPanel,
  stat: StatPanel,
  gauge: GaugePanel,
  bargauge: BarGaugePanel,
  heatmap: HeatMapPanel,
  table: TablePanel,
};

/** One panel of a Grafana dashboard: asks, waits, and shows the answer, its absence or its failure in words. */
export function Panel({ panel }: { readonly panel: PanelModel }): JSX.Element {
  const host = useRef<HTMLDivElement>(null);
  const dashboard = useDashboard();
  const visible = useVisible(host);
  const title = interpolate(panel.title, dashboard.scope);
  const { fromMs, toMs } = dashboard.range;
  const { data, error } = useAsync(
    async (signal) => {
      if (!visible || panel.type === 'text') return undefined;
      return loadPanelData(panel, dashboard, host.current?.clientWidth ?? 600, signal);
    },
    [visible, panel, fromMs, toMs, dashboard.scope, dashboard.scrapeIntervalMs],
  );
  const last = useRef<PanelData | undefined>(undefined);
  if (data !== undefined) last.current = data;
  return (
    <div class="panel-host" ref={host}>
      <PanelFrame
        panel={panel}
        title={title}
        warning={last.current === undefined ? undefined : error}
        dashboard={dashboard}
      >
        <Body panel={panel} data={last.current} error={error} dashboard={dashboard} />
      </PanelFrame>
    </div>
  );
}

function Body(props: {
  readonly panel: PanelModel;
  readonly data: PanelData | undefined;
  readonly error: string | undefined;
  readonly dashboard: DashboardContext;
}): JSX.Element {
  const { panel, data, error, dashboard } = props;
  if (panel.type === 'text') return <TextPanel panel={panel} scope={dashboard.scope} />;
  const View = views[panel.type];
  if (View === undefined) {
    return (
      <PanelMessage kind="empty">{`This page does not draw panels of type “${panel.type}”.`}</PanelMessage>
    );
  }
  if (data === undefined) {
    if (error !== undefined) return <PanelMessage kind="error">{error}</PanelMessage>;
    return <div class="panel-waiting" role="status" aria-label="Loading" />;
  }
  if (!data.series.some(({ values }) => values.some((value) => value !== null))) {
    return <PanelMessage kind="empty">{panel.fieldConfig?.defaults.noValue ?? 'No data'}</PanelMessage>;
  }
  return <View panel={panel} data={data} dashboard={dashboard} />;
}

/** Title, explanation and body of a panel; the body keeps its size whatever is in it. */
function PanelFrame(props: {
  readonly panel: PanelModel;
  readonly title: string;
  /** The last refresh failed while older data stay on show. */
  readonly warning?: string | undefined;
  readonly dashboard: DashboardContext;
  readonly children: ComponentChildren;
}): JSX.Element {
  const { panel, title, warning, dashboard, children } = props;
  return (
    <section class={`panel panel-${panel.type}`} aria-label={title}>
      <header class="panel-head">
        <h3>{title}</h3>
        {warning !== undefined && (
          <span class="panel-warning" title={warning}>
            not updated
          </span>
        )}
        {panel.links?.map(({ title: text, url }) => (
          <PanelLink key={url} text={text} href={resolveLink(url, dashboard.scope, dashboard.range)} />
        ))}
        {panel.description && <Explanation title={title} text={panel.description} />}
      </header>
      <div class="panel-body">{children}</div>
    </section>
  );
}

/** To the dashboard or page that the panel names; nothing where the page must not lead there. */
function PanelLink(props: { readonly text: string; readonly href: string | undefined }): JSX.Element | null {
  const { text, href } = props;
  if (href === undefined) return null;
  return (
    <a class="panel-link" href={href} title={text}>
      <span class="sr-only">{text}</span>
      <svg viewBox="0 0 12 12" aria-hidden="true">
        <path d="M3 9 9 3M4 3h5v5" />
      </svg>
    </a>
  );
}

/** The panel's description behind a button. */
function Explanation({ title, text }: { readonly title: string; readonly text: string }): JSX.Element {
  return (
    <Popover class="explain" sign="?" label={`What “${title}” shows`}>
      {text}
    </Popover>
  );
}

/** Words in place of a chart. */
function PanelMessage(props: { readonly kind: 'empty' | 'error'; readonly children: string }): JSX.Element {
  return (
    <p
      class={`panel-message panel-message-${props.kind}`}
      role={props.kind === 'error' ? 'alert' : undefined}
    >
      {props.children}
    </p>
  );
}

/** Whether the element is on screen or within half a screen of it. Panels out of sight ask for nothing. */
function useVisible(ref: RefObject<Element | null>): boolean {
  const [visible, setVisible] = useState(false);
  useEffect(() => {
    if (ref.current === null) return;
    const observer = new IntersectionObserver(([entry]) => setVisible(entry?.isIntersecting === true), {
      rootMargin: '50% 0px',
    });
    observer.observe(ref.current);
    return () => observer.disconnect();
  }, [ref]);
  return visible;
}
