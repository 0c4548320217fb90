import {
  BigValueColorMode,
  BigValueGraphMode,
  BigValueJustifyMode,
  BigValueTextMode,
  ReduceDataOptionsBuilder,
  VizOrientation,
} from '@grafana/grafana-foundation-sdk/common';
import { FieldColorBuilder, FieldColorModeId, MappingType } from '@grafana/grafana-foundation-sdk/dashboard';
import { PanelBuilder } from '@grafana/grafana-foundation-sdk/stat';
import type { PanelDefinition, PanelSpec, Step } from './panel.ts';
import { panelOf, thresholds } from './panel.ts';

/** One number with its recent course. */
interface StatSpec extends Omit<PanelSpec, 'height'> {
  /** Default 4. */
  readonly height?: number;
  /** Colour below the first step. Default `green`; `text` where no value is good or bad. */
  readonly base?: string;
  readonly steps?: readonly Step[];
  readonly decimals?: number;
  /** How a range becomes one number. Default `lastNotNull`. */
  readonly calc?: 'lastNotNull' | 'max' | 'mean' | 'sum';
  /** Words in place of numbers, for values that stand for a state. */
  readonly words?: Readonly<Record<string, { readonly text: string; readonly color: string }>>;
  /** Without a sparkline, for numbers that have no course worth showing. */
  readonly plain?: boolean;
}

/** A stat panel of the house: the number takes the threshold's colour, the sparkline shows the range. */
export function stat(spec: StatSpec): PanelDefinition {
  const { width, height = 4 } = spec;
  return {
    width,
    height,
    build: (place) => {
      const panel = panelOf(new PanelBuilder(), spec, place)
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
      if (spec.words !== undefined) {
        const options = Object.fromEntries(
          Object.entries(spec.words).map(([value, word], index) => [value, { ...word, index }]),
        );
        panel.mappings([{ type: MappingType.ValueToText, options }]);
      }
      return panel;
    },
  };
}
