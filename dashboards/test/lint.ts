import { metricCatalogue } from '@weir/metrics';
import { parse, queryNames } from '@weir/promql';
import { serviceCatalogue } from '../../service/src/catalogue.ts';
import { dashboards } from '../src/index.ts';
import {
  type DashboardJson,
  type PanelJson,
  panelsOf,
  type Target,
  type VariableJson,
} from './dashboard-json.ts';

const uids = new Set(dashboards.map(({ uid }) => uid));

/** What Prometheus and the service write themselves about alerts; the rules decide on its labels. */
const ofAlerts = ['ALERTS', 'ALERTS_FOR_STATE'];
/** Whose histograms carry exemplars. */
const withExemplars = /\b(http_server_request|db_client_operation)_duration_seconds_bucket\{/;

const counters = new Set<string>();
const known = new Set<string>();
for (const { name, type } of [...metricCatalogue, ...serviceCatalogue]) {
  if (type === 'histogram') {
    for (const suffix of ['_bucket', '_sum', '_count']) {
      known.add(name + suffix);
      counters.add(name + suffix);
    }
  } else {
    known.add(name);
    if (type === 'counter') counters.add(name);
  }
}

/**
 * What a reader of `dashboard` would trip over, one line each; empty for a good one. The rules of Grafana's dashboard
 * linter, by its names, and ours below them.
 *
 * template-datasource, template-job, template-instance, template-label-promql, template-on-time-change-reload,
 * panel-datasource, panel-title-description, panel-units, panel-no-targets, target-promql, target-rate-interval,
 * target-job, target-instance, target-counter-agg, uneditable-dashboard. Its rules for LogQL have nothing to look at.
 */
export function lint(dashboard: DashboardJson): readonly string[] {
  return [
    ...lintModel(dashboard),
    ...lintVariables(dashboard.templating.list),
    ...lintAnnotations(dashboard),
    ...panelsOf(dashboard).flatMap((panel) => [...lintPanel(panel)]),
  ];
}

function* lintModel(dashboard: DashboardJson): Generator<string> {
  if (dashboard.editable !== false) yield 'uneditable-dashboard: the dashboard is editable';
  if (!dashboard.description) yield 'the dashboard has no description';
  if (/\$\{DS_|__inputs/.test(JSON.stringify(dashboard)))
    yield 'it holds import inputs, which break provisioning';
  const ids = dashboard.panels.flatMap((panel) => [panel.id, ...(panel.panels ?? []).map(({ id }) => id)]);
  if (new Set(ids).size !== ids.length || ids.some((id) => !Number.isInteger(id)))
    yield 'panel ids are not unique';
  if (
    !dashboard.links.some(
      ({ type, includeVars, keepTime }) => type === 'dashboards' && includeVars && keepTime,
    )
  )
    yield 'no menu of the other dashboards that keeps variables and time';
  yield* lintGrid(dashboard.panels);
}

function* lintVariables([source, ...others]: readonly VariableJson[]): Generator<string> {
  if (source?.type !== 'datasource' || source.name !== 'datasource' || source.query !== 'prometheus') {
    yield 'template-datasource: the first variable is not the Prometheus data source';
  }
  for (const name of ['job', 'instance']) {
    const variable = others.find((other) => other.name === name);
    if (!variable?.multi || !variable.includeAll || variable.allValue !== '.+' || !variable.label)
      yield `template-${name}: $${name} is not labelled and multi with All`;
    if (variable?.refresh !== 2)
      yield `template-on-time-change-reload: $${name} is not refreshed with the time range`;
    if (variable?.datasource?.uid !== '$datasource')
      yield `template-${name}: $${name} does not ask $datasource`;
    const query = typeof variable?.query === 'object' ? variable.query.query : '';
    const [, series, label] = /^label_values\((.+), (\w+)\)$/.exec(query) ?? [];
    if (series === undefined || label !== name) yield `template-label-promql: $${name} asks ${query}`;
    else
      for (const metric of unknownMetrics(expanded(series), []))
        yield `$${name}: ${metric} is not in the catalogue`;
  }
}

function* lintAnnotations({ annotations }: DashboardJson): Generator<string> {
  for (const { name, expr, enable, datasource, titleFormat } of annotations.list) {
    if (!enable || datasource.uid !== '$datasource') yield `annotation ${name}: off, or not of $datasource`;
    if (!titleFormat) yield `annotation ${name}: no title`;
    for (const metric of unknownMetrics(expanded(expr), ofAlerts))
      yield `annotation ${name}: ${metric} is not in the catalogue`;
    if (!/job=~"\$job\|?"/.test(expr)) yield `annotation ${name}: ignores $job`;
  }
}

function* lintGrid(panels: readonly PanelJson[]): Generator<string> {
  const taken = new Map<string, string>();
  for (const { title, gridPos } of panels) {
    if (gridPos.x + gridPos.w > 24) yield `${title}: reaches beyond the grid`;
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        const other = taken.get(`${x},${y}`);
        if (other !== undefined && other !== title) yield `${title}: lies on ${other}`;
        taken.set(`${x},${y}`, title);
      }
    }
  }
}

function* lintPanel(panel: PanelJson): Generator<string> {
  const { title, type, description, fieldConfig, targets = [] } = panel;
  if (!title || !description)
    yield `panel-title-description: panel ${panel.id} ${title}: no title or no description`;
  if (type === 'text') return;
  if (!fieldConfig?.defaults.unit) yield `panel-units: ${title}: no unit`;
  if (!fieldConfig?.defaults.noValue) yield `${title}: no words for no data`;
  if (panel.datasource?.uid !== '$datasource') yield `panel-datasource: ${title}: does not ask $datasource`;
  if (type === 'timeseries' && panel.options?.legend?.showLegend !== true) yield `${title}: legend not shown`;
  if (targets.length === 0) yield `panel-no-targets: ${title}: no query`;
  const refIds = targets.map(({ refId }) => refId);
  if (new Set(refIds).size !== refIds.length || refIds.some((id) => !id))
    yield `${title}: refIds are not unique`;
  for (const { url } of [...(panel.links ?? []), ...(fieldConfig?.defaults.links ?? [])])
    yield* lintLink(title, url);
  for (const target of targets) {
    yield* lintTarget(title, target);
    const slowest = type === 'heatmap' || (type === 'timeseries' && target.expr.includes('quantile(0.99'));
    if (slowest && withExemplars.test(target.expr) && !target.exemplar)
      yield `${title}: does not ask for the exemplars that there are`;
  }
}

function* lintLink(title: string, url: string): Generator<string> {
  const uid = /^\/d\/([\w-]+)\?/.exec(url)?.[1];
  if (uid === undefined ? !url.startsWith('/explore?') : !uids.has(uid))
    yield `${title}: leads nowhere, ${url}`;
  if (uid !== undefined && !/\$\{__url_time_range\}.*\$\{__all_variables\}/.test(url))
    yield `${title}: its link drops time range or variables`;
}

function* lintTarget(title: string, { expr, legendFormat, datasource, exemplar }: Target): Generator<string> {
  if (datasource.uid !== '$datasource') yield `panel-datasource: ${title}: a query does not ask $datasource`;
  if (!legendFormat) yield `${title}: a query has no legend`;
  try {
    parse(expanded(expr));
  } catch (error) {
    yield `target-promql: ${title}: ${(error as Error).message}`;
    return;
  }
  if (exemplar && !withExemplars.test(expr)) yield `${title}: asks for exemplars of what has none`;
  const selectors = selectorsOf(expr);
  if (selectors.length === 0) yield `target-promql: ${title}: a query selects nothing`;
  for (const { metric, matchers, range, before } of selectors) {
    const isOfAlerts = ofAlerts.includes(metric);
    if (!known.has(metric) && !isOfAlerts) yield `${title}: ${metric} is not in the catalogue`;
    if (isOfAlerts) {
      if (!matchers.includes('job=~"$job|"'))
        yield `target-job: ${title}: ${metric} ignores $job, or leaves out alerts without a job`;
    } else
      for (const label of ['job', 'instance'])
        if (!matchers.includes(`${label}=~"$${label}"`))
          yield `target-${label}: ${title}: ${metric} ignores $${label}`;
    const grows = range === '$__range' && before.endsWith('increase(');
    if (range !== undefined && range !== '$__rate_interval' && !grows)
      yield `target-rate-interval: ${title}: ${metric} over a fixed [${range}]`;
    const rated = range !== undefined && /(?:rate|increase)\($/.test(before);
    if (counters.has(metric) && !rated)
      yield `target-counter-agg: ${title}: ${metric} is a counter and not rated`;
    if (!counters.has(metric) && rated)
      yield `target-counter-agg: ${title}: ${metric} is rated and no counter`;
  }
}

/** An expression with Grafana's variables filled in, as a parser reads it. */
function expanded(expr: string): string {
  return expr.replace(/\$__(?:rate_interval|range|interval)/g, '5m');
}

interface Selector {
  readonly metric: string;
  readonly matchers: string;
  readonly range: string | undefined;
  readonly before: string;
}

/** The selectors of an expression; ours always carry matchers, so a name before a brace is one. */
function selectorsOf(expr: string): readonly Selector[] {
  return [...expr.matchAll(/([a-zA-Z_:][\w:]*)\{([^}]*)\}(?:\[([^\]:]+)\])?/g)].map((match) => ({
    metric: match[1] ?? '',
    matchers: match[2] ?? '',
    range: match[3],
    before: expr.slice(0, match.index),
  }));
}

/** The metrics of an expression that are neither in a catalogue nor among `recorded`. */
export function unknownMetrics(expr: string, recorded: readonly string[]): readonly string[] {
  const { metrics } = queryNames(parse(expr));
  return [...metrics].filter((metric) => !known.has(metric) && !recorded.includes(metric));
}
