import type { JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { Chart } from '../charts/chart.tsx';
import type { ChartModel } from '../charts/chart-model.ts';
import { formatValue } from '../format/format-value.ts';
import { calcLabel, reduce } from '../model/reduce.ts';
import { chartModel } from './chart-model-of-panel.ts';
import { Legend, type LegendEntry } from './legend.tsx';
import type { PanelView } from './panel.tsx';
import { Traces } from './traces.tsx';

/** A chart over time with its legend; a click on a name shows that series alone. */
export function TimeSeriesPanel({ panel, data, dashboard }: PanelView): JSX.Element {
  const [alone, setAlone] = useState<string | undefined>(undefined);
  const whole = useMemo(() => chartModel(panel, data, dashboard.marks), [panel, data, dashboard.marks]);
  const model = useMemo(() => only(whole, alone), [whole, alone]);
  const calcs = panel.options?.legend?.calcs ?? [];
  const entries = whole.series.map((series): LegendEntry => {
    const text = (calc: string): string =>
      formatValue(reduce(series.values, calc), series.unit, series.decimals);
    return {
      name: series.name,
      color: series.color,
      values: calcs.map((calc) => ({ label: calcs.length > 1 ? calcLabel(calc) : '', text: text(calc) })),
    };
  });
  const { fromMs, toMs } = dashboard.range;
  const summary = entries.slice(0, 6).map(({ name, values }) => `${name} ${values[0]?.text ?? ''}`);
  return (
    <>
      <div class="chart-host">
        <Chart
          model={model}
          range={[fromMs / 1000, toMs / 1000]}
          label={`${panel.title}: ${summary.join(', ')}`}
          syncKey="dashboard"
          onSelect={(fromS, toS) => dashboard.zoom({ fromMs: fromS * 1000, toMs: toS * 1000 })}
        />
      </div>
      {panel.options?.legend?.showLegend !== false && (
        <Legend
          entries={entries}
          alone={alone}
          onToggle={(name) => setAlone((now) => (now === name ? undefined : name))}
        />
      )}
      {data.exemplars.length > 0 && (
        <Traces model={whole} title={panel.title} traceUrl={dashboard.traceUrl} />
      )}
    </>
  );
}

function only(model: ChartModel, name: string | undefined): ChartModel {
  if (name === undefined || !model.series.some((series) => series.name === name)) return model;
  return { ...model, series: model.series.filter((series) => series.name === name) };
}
