import type { JSX } from 'preact';
import { useRef } from 'preact/hooks';
import type { Panel as PanelModel } from '../model/dashboard.ts';
import { useAsync } from '../ui/use-async.ts';
import { interpolate } from '../variables/interpolate.ts';
import { BarGaugePanel } from './bar-gauge-panel.tsx';
import { type DashboardContext, useDashboard } from './dashboard-context.ts';
import { GaugePanel } from './gauge-panel.tsx';
import { HeatMapPanel } from './heat-map-panel.tsx';
import { loadPanelData, type PanelData } from './panel-data.ts';
import { PanelFrame, PanelMessage } from './panel-frame.tsx';
import { StatPanel } from './stat-panel.tsx';
import { TablePanel } from './table-panel.tsx';
import { TextPanel } from './text-panel.tsx';
import { TimeSeriesPanel } from './time-series-panel.tsx';
import { useVisible } from './use-visible.ts';

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
