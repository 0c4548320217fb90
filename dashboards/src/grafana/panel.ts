import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import type { GridPos, Panel, Threshold } from '@grafana/grafana-foundation-sdk/dashboard';
import { ThresholdsConfigBuilder, ThresholdsMode } from '@grafana/grafana-foundation-sdk/dashboard';
import type { Query } from './query.ts';

/** What every panel must say of itself; the linter refuses an empty one. */
export interface PanelSpec {
  readonly title: string;
  /** What the reader sees and what to make of it. Grafana shows it behind the panel's ⓘ. */
  readonly description: string;
  /** A unit id of Grafana, e.g. `s`, `percentunit`, `reqps`. */
  readonly unit: string;
  /** What stands in place of an empty chart: why there may be nothing. */
  readonly noData: string;
  /** Columns of 24. */
  readonly width: number;
  /** Rows of 30 px. */
  readonly height: number;
  readonly queries: readonly Query[];
}

/** Where the dashboard puts a panel. */
export interface Place {
  readonly id: number;
  readonly gridPos: GridPos;
}

/** A panel that knows its size and is given its id and place by the dashboard. */
export interface PanelDefinition {
  readonly width: number;
  readonly height: number;
  build(place: Place): Builder<Panel>;
}

/** From `value` upwards, `color`. A Grafana colour name. */
export interface Step {
  readonly from: number;
  readonly color: string;
}

/** Absolute thresholds: `base` below the first step. Steps must ascend. */
export function thresholds(base: string, ...steps: readonly Step[]): ThresholdsConfigBuilder {
  const all: Threshold[] = [
    { value: null, color: base },
    ...steps.map(({ from, color }) => ({ value: from, color })),
  ];
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(all);
}
