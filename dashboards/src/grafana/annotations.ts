import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  type AnnotationQuery,
  AnnotationQueryBuilder,
  DashboardLinkBuilder,
  DashboardLinkType,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { datasource, rate, select, selectAlerts } from './query.ts';

const version = select('target_info');
const started = select('process_start_time_seconds');

/** What may explain a change: marks on every panel over time, each one switched at the top of the dashboard. */
export const annotations: readonly Builder<AnnotationQuery>[] = [
  annotation({
    name: 'Deploys',
    color: 'blue',
    // A version that was not there in the hour before: one that a failed scrape hid for a moment is not new.
    expr: `group by (job, service_version) (${version}) unless group by (job, service_version) (last_over_time(${version}[1h] offset $__rate_interval))`,
    title: '{{job}} {{service_version}}',
    text: 'A version that did not run before',
    tags: 'service_version',
  }),
  annotation({
    name: 'Starts',
    color: 'purple',
    // The youngest process of a job, so that new instances count as well as restarted ones.
    expr: `max by (job) (${started}) > max by (job) (${started} offset $__rate_interval)`,
    title: '{{job}} started',
    text: 'A process of {{job}} started: a deploy, more instances, or a crash',
    tags: 'job',
  }),
  annotation({
    name: 'Benchmark runs',
    color: 'green',
    expr: `sum by (benchmark, outcome) (${rate('weir_bench_runs_total')}) > 0`,
    title: 'Benchmark {{benchmark}} {{outcome}}',
    text: 'What the charts show around this moment is its load',
    tags: 'benchmark,outcome',
  }),
  annotation({
    name: 'Alerts',
    color: 'red',
    expr: `sum by (alertname, severity, job) (${selectAlerts('ALERTS', 'alertstate="firing"')})`,
    title: '{{alertname}}',
    text: '{{severity}} for {{job}}',
    tags: 'alertname,severity',
  }),
];

function annotation(spec: {
  readonly name: string;
  readonly color: string;
  readonly expr: string;
  readonly title: string;
  readonly text: string;
  readonly tags: string;
}): Builder<AnnotationQuery> {
  return new AnnotationQueryBuilder()
    .name(spec.name)
    .datasource(datasource)
    .enable(true)
    .hide(false)
    .iconColor(spec.color)
    .expr(spec.expr)
    .titleFormat(spec.title)
    .textFormat(spec.text)
    .tagKeys(spec.tags)
    .step('$__interval')
    .useValueForTime(false);
}

/** Span attribute → label of the series that holds its value. */
export type TraceFilter = Readonly<Record<string, string>>;

/** Stands for the uid of the Tempo data source until the settings name it. */
export const traceSource = 'tempo';

/** Grafana's explorer with the traces of the clicked series, over the range on screen. */
export function traceLink(filter: TraceFilter): DashboardLinkBuilder {
  const conditions = Object.entries(filter).map(
    ([attribute, label]) => `${attribute} = "\${__field.labels.${label}}"`,
  );
  const query = `{ ${conditions.join(' && ')} }`;
  const pane = {
    datasource: traceSource,
    queries: [
      { refId: 'A', datasource: { type: 'tempo', uid: traceSource }, queryType: 'traceql', query, limit: 20 },
    ],
    range: { from: grafana('__from'), to: grafana('__to') },
  };
  // Grafana fills its variables in before it reads the address: only what would end the parameter is escaped.
  const panes = JSON.stringify({ weir: pane }).replace(/[%&#+]/g, encodeURIComponent);
  return new DashboardLinkBuilder('Traces')
    .type(DashboardLinkType.Link)
    .url(`/explore?schemaVersion=1&panes=${panes}`)
    .targetBlank(true);
}

/** A variable that Grafana fills in. */
function grafana(name: string): string {
  return `$\{${name}}`;
}
