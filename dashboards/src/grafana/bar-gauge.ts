import { PanelBuilder } from '@grafana/grafana-foundation-sdk/bargauge';
import {
  BarGaugeDisplayMode,
  BarGaugeNamePlacement,
  BarGaugeValueMode,
  ReduceDataOptionsBuilder,
  VizOrientation,
} from '@grafana/grafana-foundation-sdk/common';
import { FieldColorBuilder, FieldColorModeId } from '@grafana/grafana-foundation-sdk/dashboard';
import type { PanelDefinition, PanelSpec, Step } from './panel.ts';
import { panelOf, thresholds } from './panel.ts';

/** A ranking of values now. */
interface BarGaugeSpec extends Omit<PanelSpec, 'height'> {
  /** Default 8. */
  readonly height?: number;
  /** Colour below the first step. Default `blue`. */
  readonly base?: string;
  readonly steps?: readonly Step[];
  readonly max?: number;
}

/** Horizontal bars, one a series; queries should be instant and sorted. */
export function barGauge(spec: BarGaugeSpec): PanelDefinition {
  const { width, height = 8 } = spec;
  return {
    width,
    height,
    build: (place) => {
      const panel = panelOf(new PanelBuilder(), spec, place)
        .min(0)
        .thresholds(thresholds(spec.base ?? 'blue', ...(spec.steps ?? [])))
        .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.Thresholds))
        .displayMode(BarGaugeDisplayMode.Basic)
        .valueMode(BarGaugeValueMode.Text)
        .namePlacement(BarGaugeNamePlacement.Left)
        .orientation(VizOrientation.Horizontal)
        .showUnfilled(false)
        .reduceOptions(new ReduceDataOptionsBuilder().values(false).calcs(['lastNotNull']).fields(''));
      if (spec.max !== undefined) panel.max(spec.max);
      return panel;
    },
  };
}
