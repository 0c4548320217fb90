import type { ChartMark, ChartModel, ChartSeries } from '../charts/chart-model.ts';
import { grafanaColor, repeatedColor } from '../charts/colors.ts';
import type { Panel } from '../model/dashboard.ts';
import { reduce } from '../model/reduce.ts';
import { assignSeriesColors } from '../model/series-colors.ts';
import { absoluteSteps, thresholdColor } from '../model/thresholds.ts';
import type { PanelData, PanelSeries } from './panel-data.ts';

/** The chart that a time series panel describes. Series come in the order of their names within each query. */
export function chartModel(panel: Panel, data: PanelData, marks: readonly ChartMark[] = []): ChartModel {
  const defaults = panel.fieldConfig?.defaults ?? {};
  const custom = defaults.custom ?? {};
  const series = data.series
    .filter(({ values, config }) => config.custom?.hideFrom?.viz !== true && values.some((v) => v !== null))
    .sort((a, b) => a.refId.localeCompare(b.refId) || a.name.localeCompare(b.name, 'en', { numeric: true }));
  const colors = seriesColors(series);
  const limitMode = custom.thresholdsStyle?.mode ?? 'off';
  return {
    times: data.times,
    series: series.map((one, index) => chartSeries(one, colors[index] ?? 'var(--series-1)')),
    stacked: custom.stacking?.mode === 'normal',
    log: custom.scaleDistribution?.type === 'log',
    unit: defaults.unit,
    decimals: defaults.decimals,
    min: defaults.min,
    max: defaults.max,
    marks,
    exemplars: data.exemplars,
    limits:
      limitMode === 'off'
        ? []
        : absoluteSteps(defaults).flatMap(({ value, color }) =>
            value === null ? [] : [{ value, color: grafanaColor(color) }],
          ),
  };
}

function chartSeries({ name, values, config }: PanelSeries, color: string): ChartSeries {
  const { custom = {} } = config;
  return {
    name,
    values,
    color,
    fillOpacity: custom.fillOpacity ?? 0,
    lineWidth: custom.lineWidth ?? 1,
    ...(custom.lineStyle?.dash && { dash: custom.lineStyle.dash }),
    bars: custom.drawStyle === 'bars',
    unit: config.unit,
    decimals: config.decimals,
  };
}

/** Fixed and threshold colours as the dashboard says, a second use of one a shade apart; else by name. */
function seriesColors(all: readonly PanelSeries[]): readonly string[] {
  const byName = assignSeriesColors(all.map(({ name }) => name));
  const uses = new Map<string, number>();
  return all.map(({ name, config, values }) => {
    const fixed = namedColor(config, values);
    if (fixed === undefined) return `var(--series-${byName.get(name) ?? 1})`;
    const repeat = uses.get(fixed) ?? 0;
    uses.set(fixed, repeat + 1);
    return repeatedColor(grafanaColor(fixed), repeat);
  });
}

function namedColor(config: PanelSeries['config'], values: PanelSeries['values']): string | undefined {
  if (config.color?.mode === 'fixed') return config.color.fixedColor;
  if (config.color?.mode === 'thresholds') return thresholdColor(config, reduce(values, 'lastNotNull'));
  return undefined;
}
