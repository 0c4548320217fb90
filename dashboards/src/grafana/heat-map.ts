import { HeatmapCellLayout, TooltipDisplayMode } from '@grafana/grafana-foundation-sdk/common';
import {
  HeatmapColorMode,
  HeatmapColorOptionsBuilder,
  HeatmapTooltipBuilder,
  PanelBuilder,
  RowsHeatmapOptionsBuilder,
  YAxisConfigBuilder,
} from '@grafana/grafana-foundation-sdk/heatmap';
import type { PanelDefinition, PanelSpec } from './panel.ts';
import { panelOf } from './panel.ts';
import { type Query, rate } from './query.ts';

/** The course of a whole distribution. */
interface HeatMapSpec extends Omit<PanelSpec, 'height' | 'queries'> {
  /** Default 8. */
  readonly height?: number;
  /** A classic histogram of the catalogue, without `_bucket`. */
  readonly histogram: string;
  /** The histogram has exemplars. */
  readonly exemplar?: boolean;
}

/** Observations a second in each bucket over time: shows two populations where a percentile shows one line. */
export function heatMap(spec: HeatMapSpec): PanelDefinition {
  const { width, height = 8, histogram } = spec;
  const query: Query = {
    expr: `sum by (le) (${rate(`${histogram}_bucket`)})`,
    legend: '{{le}}',
    format: 'heatmap',
    ...(spec.exemplar && { exemplar: true }),
  };
  return {
    width,
    height,
    build: (place) =>
      panelOf(new PanelBuilder(), { ...spec, unit: 'short', queries: [query] }, place)
        .calculate(false)
        .color(
          new HeatmapColorOptionsBuilder()
            .mode(HeatmapColorMode.Scheme)
            .scheme('Blues')
            .fill('dark-blue')
            .exponent(0.5)
            .steps(64)
            .reverse(false),
        )
        .rowsFrame(new RowsHeatmapOptionsBuilder().layout(HeatmapCellLayout.Auto))
        .cellGap(1)
        .yAxis(new YAxisConfigBuilder().unit(spec.unit))
        .tooltip(new HeatmapTooltipBuilder().mode(TooltipDisplayMode.Single).yHistogram(false))
        .hideLegend(),
  };
}
