import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  type DashboardLink,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  TimePickerBuilder,
  VariableHide,
  type VariableModel,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { annotations } from './annotations.ts';
import { type PanelDefinition, withoutPlacement } from './panel.ts';
import { datasource } from './query.ts';

/** A heading and the panels below it. */
interface RowDefinition {
  readonly title: string;
  readonly panels: readonly PanelDefinition[];
}

/** A dashboard as its author writes it; ids and places follow from the order. */
export interface DashboardDefinition {
  /** Lasting: links and bookmarks hold it. */
  readonly uid: string;
  readonly title: string;
  /** The question that the dashboard answers. */
  readonly description: string;
  /** Start of the default time range, e.g. `now-15m`. It ends now. */
  readonly from: string;
  /** Metric whose series carry the jobs to choose from. Default `up`: every job. */
  readonly jobsOf?: string;
  /** Panels above the first row: what is seen without scrolling. */
  readonly top: readonly PanelDefinition[];
  readonly rows: readonly RowDefinition[];
}

const columns = 24;

/**
 * Grafana's classic model of `definition`. Panel ids are 100 × the row's number plus the place in it, so that
 * a panel added to one row changes no id in another; rows take the hundreds.
 */
export function buildDashboard(definition: DashboardDefinition): Dashboard {
  const builder = new DashboardBuilder(definition.title)
    .id(null)
    .uid(definition.uid)
    .description(definition.description)
    .tags(['weir'])
    .timezone('browser')
    .readonly()
    .tooltip(DashboardCursorSync.Crosshair)
    .time({ from: definition.from, to: 'now' })
    .timepicker(new TimePickerBuilder().refreshIntervals(['5s', '10s', '30s', '1m', '5m', '15m']))
    .refresh('10s')
    .version(1)
    .annotations([...annotations])
    .link(siblings())
    .variables(variables(definition.jobsOf ?? 'up'));
  let y = placePanels(builder, definition.top, 0, 0);
  definition.rows.forEach((row, index) => {
    const id = (index + 1) * 100;
    builder.withRow(new RowBuilder(row.title).id(id).collapsed(false).gridPos({ x: 0, y, w: columns, h: 1 }));
    y = placePanels(builder, row.panels, id, y + 1);
  });
  return builder.build();
}

/** A menu of the other dashboards that keeps time range and variables. */
function siblings(): Builder<DashboardLink> {
  return withoutPlacement(
    new DashboardLinkBuilder('Weir dashboards')
      .type(DashboardLinkType.Dashboards)
      .tags(['weir'])
      .tooltip('The other dashboards, with the same time range and variables')
      .icon('external link')
      .asDropdown(true)
      .includeVars(true)
      .keepTime(true)
      .targetBlank(false),
  );
}

/** Puts each panel as high as it fits, then as far left. Returns the first y below all of them. */
function placePanels(
  builder: DashboardBuilder,
  panels: readonly PanelDefinition[],
  rowId: number,
  top: number,
): number {
  const free = new Array<number>(columns).fill(top);
  panels.forEach(({ width, height, build }, index) => {
    const heights = Array.from({ length: columns - width + 1 }, (_, x) =>
      Math.max(...free.slice(x, x + width)),
    );
    const y = Math.min(...heights);
    const x = heights.indexOf(y);
    builder.withPanel(build({ id: rowId + index + 1, gridPos: { x, y, w: width, h: height } }));
    free.fill(y + height, x, x + width);
  });
  return Math.max(...free);
}

/**
 * `$datasource`, `$job` and `$instance`, the same on every dashboard, so that links carry them over.
 *
 * @param metric the metric whose series name the jobs and instances to choose from
 */
export function variables(metric: string): Builder<VariableModel>[] {
  return [
    new DatasourceVariableBuilder('datasource')
      .label('Data source')
      .description('A Prometheus, or the Weir service, which speaks the same API')
      .type('prometheus')
      .hide(VariableHide.DontHide)
      .regex('')
      .multi(false)
      .includeAll(false),
    choice('job', 'Job', `label_values(${metric}, job)`),
    choice('instance', 'Instance', `label_values(${metric}{job=~"$job"}, instance)`),
  ];
}

function choice(name: string, label: string, query: string): Builder<VariableModel> {
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(datasource)
    .query({ query, refId: `${name}-values`, qryType: 1 })
    .definition(query)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.NaturalAsc)
    .hide(VariableHide.DontHide)
    .regex('')
    .multi(true)
    .includeAll(true)
    .allValue('.+')
    .current({ selected: true, text: ['All'], value: ['$__all'] });
}
