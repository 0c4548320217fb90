import { metricCatalogue } from '@weir/metrics';
import { serviceCatalogue } from '../../service/src/catalogue.ts';
import { parse } from '../../service/src/promql/parser.ts';
import { selectors } from '../../service/src/promql/selectors.ts';
import { type DashboardJson, type PanelJson, panelsOf, type Target } from './dashboard-json.ts';

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
 * What a reader of `dashboard` would trip over, one line each; empty for a good one. The rules are those of
 * Grafana's dashboard linter, and ours: catalogued metrics only, words wherever a chart may be empty.
 */
export function lint(dashboard: DashboardJson): readonly string[] {
  return [...lintModel(dashboard), ...panelsOf(dashboard).flatMap((panel) => [...lintPanel(panel)])];
}

function* lintModel(dashboard: DashboardJson): Generator<string> {
  if (dashboard.editable !== false) yield 'the dashboard is editable';
  if (!dashboard.description) yield 'the dashboard has no description';
  if (/\$\{DS_|__inputs/.test(JSON.stringify(dashboard)))
    yield 'it holds import inputs, which break provisioning';
  const ids = dashboard.panels.flatMap((panel) => [panel.id, ...(panel.panels ?? []).map(({ id }) => id)]);
  if (new Set(ids).size !== ids.length || ids.some((id) => !Number.isInteger(id)))
    yield 'panel ids are not unique';
  const [source, ...others] = dashboard.templating.list;
  if (source?.type !== 'datasource' || source.name !== 'datasource' || source.query !== 'prometheus') {
    yield 'the first variable is not the Prometheus data source';
  }
  for (const name of ['job', 'instance']) {
    const variable = others.find((other) => other.name === name);
    if (!variable?.multi || !variable.includeAll || variable.allValue !== '.+')
      yield `$${name} is not multi with All`;
    if (variable?.refresh !== 2) yield `$${name} is not refreshed with the time range`;
    if (variable?.datasource?.uid !== '$datasource') yield `$${name} does not ask $datasource`;
  }
  yield* lintGrid(dashboard.panels);
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
  if (!title) yield `panel ${panel.id} has no title`;
  if (!description) yield `${title}: no description`;
  if (type === 'text') return;
  if (!fieldConfig?.defaults.unit) yield `${title}: no unit`;
  if (!fieldConfig?.defaults.noValue) yield `${title}: no words for no data`;
  if (panel.datasource?.uid !== '$datasource') yield `${title}: does not ask $datasource`;
  if (type === 'timeseries' && panel.options?.legend?.showLegend !== true) yield `${title}: legend not shown`;
  if (targets.length === 0) yield `${title}: no query`;
  const refIds = targets.map(({ refId }) => refId);
  if (new Set(refIds).size !== refIds.length || refIds.some((id) => !id))
    yield `${title}: refIds are not unique`;
  for (const target of targets) yield* lintTarget(title, target);
}

function* lintTarget(title: string, { expr, legendFormat, datasource }: Target): Generator<string> {
  if (datasource.uid !== '$datasource') yield `${title}: a query does not ask $datasource`;
  if (!legendFormat) yield `${title}: a query has no legend`;
  const selectors = selectorsOf(expr);
  if (selectors.length === 0) yield `${title}: a query selects nothing`;
  for (const { metric, matchers, range, before } of selectors) {
    if (!known.has(metric)) yield `${title}: ${metric} is not in the catalogue`;
    for (const label of ['job', 'instance']) {
      if (!matchers.includes(`${label}=~"$${label}"`)) yield `${title}: ${metric} ignores $${label}`;
    }
    if (range !== undefined && range !== '$__rate_interval')
      yield `${title}: ${metric} over a fixed [${range}]`;
    const rated = range !== undefined && /(?:rate|increase)\($/.test(before);
    if (counters.has(metric) && !rated) yield `${title}: ${metric} is a counter and not rated`;
    if (!counters.has(metric) && rated) yield `${title}: ${metric} is rated and no counter`;
  }
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
  const { metrics } = selectors(parse(expr));
  return [...metrics].filter((metric) => !known.has(metric) && !recorded.includes(metric));
}
