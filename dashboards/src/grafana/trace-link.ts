import { DashboardLinkBuilder, DashboardLinkType } from '@grafana/grafana-foundation-sdk/dashboard';

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
