import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  type DashboardLink,
  DashboardLinkBuilder,
  DashboardLinkType,
  type GridPos,
  type Panel,
  type Threshold,
  ThresholdsConfigBuilder,
  ThresholdsMode,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { type TraceFilter, traceLink } from './annotations.ts';
import { buildQuery, datasource, type Query } from './query.ts';

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
  /** The dashboard, without prefix, that answers the next question: a link in the panel's title. */
  readonly next?: { readonly uid: string; readonly title: string };
  /** A click on a series leads to its traces, found by these span attributes. */
  readonly traces?: TraceFilter;
}

/** Where the dashboard puts a panel. */
interface Place {
  readonly id: number;
  readonly gridPos: GridPos;
}

/** A panel that knows its size and is given its id and place by the dashboard. */
export interface PanelDefinition {
  readonly width: number;
  readonly height: number;
  build(place: Place): Builder<Panel>;
}

/** What every builder of the SDK can say of a panel. */
interface PanelBuilder {
  id(id: number): this;
  gridPos(gridPos: GridPos): this;
  title(title: string): this;
  description(description: string): this;
  datasource(source: typeof datasource): this;
  targets(targets: ReturnType<typeof buildQuery>[]): this;
  unit(unit: string): this;
  noValue(text: string): this;
  links(links: Builder<DashboardLink>[]): this;
  dataLinks(links: Builder<DashboardLink>[]): this;
}

/** `builder` with all that panels of every kind have in common. */
export function panelOf<Kind extends PanelBuilder>(
  builder: Kind,
  spec: Omit<PanelSpec, 'height'>,
  { id, gridPos }: Place,
): Kind {
  builder
    .id(id)
    .gridPos(gridPos)
    .title(spec.title)
    .description(spec.description)
    .datasource(datasource)
    .targets(spec.queries.map(buildQuery))
    .unit(spec.unit)
    .noValue(spec.noData);
  if (spec.next !== undefined) {
    const link = new DashboardLinkBuilder(spec.next.title)
      .type(DashboardLinkType.Link)
      .url(`/d/weir-${spec.next.uid}?\${__url_time_range}&\${__all_variables}`)
      .targetBlank(false);
    builder.links([withoutPlacement(link)]);
  }
  if (spec.traces !== undefined) builder.dataLinks([withoutPlacement(traceLink(spec.traces))]);
  return builder;
}

/** The SDK's default placement would hide a link in the overflow menu of Grafana 12 and later. */
export function withoutPlacement(builder: Builder<DashboardLink>): Builder<DashboardLink> {
  const { placement: _, ...link } = builder.build();
  return { build: () => link };
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
