import {
  BigValueColorMode,
  BigValueGraphMode,
  BigValueJustifyMode,
  BigValueTextMode,
  ReduceDataOptionsBuilder,
  VizOrientation,
} from '@grafana/grafana-foundation-sdk/common';
import { FieldColorBuilder, FieldColorModeId } from '@grafana/grafana-foundation-sdk/dashboard';
import { PanelBuilder } from '@grafana/grafana-foundation-sdk/stat';
import type { PanelDefinition, PanelSpec, Step } from './panel.ts';
import { thresholds } from './panel.ts';
import { buildQuery, datasource } from './query.ts';

/** One number with its recent course. */
export interface StatSpec extends Omit<PanelSpec, 'height'> {
  /** Default 4. */
  readonly height?: number;
  /** Colour below the first step. Default `green`; `text` where no value is good or bad. */
  readonly base?: string;
  readonly steps?: readonly Step[];
  readonly decimals?: number;
  /** How a range becomes one number. Default `lastNotNull`. */
  readonly calc?: 'lastNotNull' | 'max' | 'mean' | 'sum';
  /** Without a sparkline, for numbers that have no course worth showing. */
  readonly plain?: boolean;
}

/** A stat panel of the house: the number takes the threshold's colour, the sparkline shows the range. */
export function stat(spec: StatSpec): PanelDefinition {
  const { width, height = 4 } = spec;
  return {
    width,
    height,
    build: ({ id, gridPos }) => {
      const panel = new PanelBuilder()
        .id(id)
        .gridPos(gridPos)
        .title(spec.title)
        .description(spec.description)
        .datasource(datasource)
        .targets(spec.queries.map(buildQuery))
        .unit(spec.unit)
        .noValue(spec.noData)
        .thresholds(thresholds(spec.base ?? 'green', ...(spec.steps ?? [])))
        .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.Thresholds))
        .colorMode(BigValueColorMode.Value)
        .graphMode(spec.plain ? BigValueGraphMode.None : BigValueGraphMode.Area)
        .justifyMode(BigValueJustifyMode.Auto)
        .textMode(spec.queries.length > 1 ? BigValueTextMode.ValueAndName : BigValueTextMode.Value)
        .orientation(VizOrientation.Auto)
        .wideLayout(true)
        .showPercentChange(false)
        .reduceOptions(
          new ReduceDataOptionsBuilder()
            .values(false)
            .calcs([spec.calc ?? 'lastNotNull'])
            .fields(''),
        );
      if (spec.decimals !== undefined) panel.decimals(spec.decimals);
      return panel;
    },
  };
}
