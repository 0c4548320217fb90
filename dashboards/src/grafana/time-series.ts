import {
  GraphGradientMode,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  LineInterpolation,
  ScaleDistribution,
  ScaleDistributionConfigBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import { FieldColorBuilder, FieldColorModeId } from '@grafana/grafana-foundation-sdk/dashboard';
import { PanelBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import type { PanelDefinition, PanelSpec, Step } from './panel.ts';
import { panelOf, thresholds } from './panel.ts';

/** A chart over time. */
interface TimeSeriesSpec extends Omit<PanelSpec, 'height'> {
  /** Default 8. */
  readonly height?: number;
  /** Series lie on one another, their sum being the top edge. For parts of a whole only. */
  readonly stacked?: boolean;
  /** Dashed lines at these values; the chart does not stretch to show one out of reach. */
  readonly limits?: readonly Step[];
  /** Foot of the value axis; `auto` for values that may be negative. Default 0; a logarithmic axis has none. */
  readonly min?: number | 'auto';
  readonly max?: number;
  /** Fixed colours by a regular expression on the series' name, where a colour carries a meaning. */
  readonly colors?: Readonly<Record<string, string>>;
  /** Values beside each name of the legend. Default: the last. */
  readonly calcs?: readonly string[];
  /** Logarithmic value axis, for latencies of several magnitudes. */
  readonly log?: boolean;
}

/** A time series panel of the house: thin lines, light fill, legend with values below, tooltip of all series. */
export function timeSeries(spec: TimeSeriesSpec): PanelDefinition {
  const { width, height = 8 } = spec;
  return {
    width,
    height,
    build: (place) => {
      const panel = panelOf(new PanelBuilder(), spec, place)
        .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.PaletteClassicByName))
        .lineWidth(spec.stacked ? 1 : 1.5)
        .lineInterpolation(LineInterpolation.Linear)
        .fillOpacity(spec.stacked ? 35 : spec.log ? 0 : 6)
        .gradientMode(GraphGradientMode.None)
        .showPoints(VisibilityMode.Auto)
        .spanNulls(false)
        .legend(
          new VizLegendOptionsBuilder()
            .showLegend(true)
            .displayMode(LegendDisplayMode.List)
            .placement(LegendPlacement.Bottom)
            .calcs([...(spec.calcs ?? ['lastNotNull'])]),
        )
        .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending));
      if (spec.min !== 'auto' && !spec.log) panel.min(spec.min ?? 0);
      if (spec.max !== undefined) panel.max(spec.max);
      if (spec.stacked) panel.stacking(new StackingConfigBuilder().mode(StackingMode.Normal).group('A'));
      if (spec.log) panel.scaleDistribution(logScale());
      if (spec.limits) {
        panel
          .thresholds(thresholds('transparent', ...spec.limits))
          .thresholdsStyle(new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed));
      }
      for (const [pattern, color] of Object.entries(spec.colors ?? {})) {
        panel.overrideByRegexp(`/${pattern}/`, [
          { id: 'color', value: { mode: FieldColorModeId.Fixed, fixedColor: color } },
        ]);
      }
      return panel;
    },
  };
}

function logScale(): ScaleDistributionConfigBuilder {
  return new ScaleDistributionConfigBuilder().type(ScaleDistribution.Log).log(10);
}
