import { createHash } from 'node:crypto';
import { stringify } from 'yaml';
import { type Settings, slugOf } from '../customise.ts';
import { ruleGroups } from '../rules/index.ts';
import { type AlertingRule, inlineRecordings } from '../rules/rule.ts';

/** Grafana evaluates no faster than this. */
const interval = '1m';

/**
 * The alerts as Grafana-managed rules, for a Prometheus to which nobody may add rules: Grafana asks and evaluates, and
 * recorded series are written out. They notify through Grafana's own contact points.
 *
 * @param datasourceUid of the data source to ask
 */
export function renderGrafanaAlerts(settings: Settings, datasourceUid: string): string {
  const groups = ruleGroups(settings);
  const expressions = inlineRecordings(groups, '1m');
  return stringify(
    {
      apiVersion: 1,
      groups: groups
        .map(({ name, rules }) => ({ name, alerts: rules.filter((rule) => 'alert' in rule) }))
        .filter(({ alerts }) => alerts.length > 0)
        .map(({ name, alerts }) => ({
          orgId: 1,
          name,
          folder: settings.prefix,
          interval,
          rules: alerts.map((alert) => {
            const key = `${alert.alert} ${alert.labels.slo ?? ''}`.trim();
            return grafanaRule(alert, expressions.get(key) ?? alert.expr, key, settings, datasourceUid);
          }),
        })),
    },
    { lineWidth: 0, aliasDuplicateObjects: false },
  );
}

function grafanaRule(
  alert: AlertingRule,
  expr: string,
  key: string,
  settings: Settings,
  datasourceUid: string,
): object {
  const range = { from: 600, to: 0 };
  const expression = (refId: string, model: object): object => ({
    refId,
    datasourceUid: '__expr__',
    model: { refId, ...model },
  });
  return {
    uid: `${slugOf(settings.prefix)}-${createHash('sha256').update(key).digest('hex').slice(0, 12)}`,
    title: key,
    // The expression yields a series only where the condition holds; whatever its value, that fires.
    condition: 'firing',
    data: [
      {
        refId: 'query',
        relativeTimeRange: range,
        datasourceUid,
        model: { refId: 'query', expr, instant: true, range: false },
      },
      expression('holds', {
        type: 'math',
        expression: 'is_number($query) || is_nan($query) || is_inf($query)',
      }),
      expression('firing', {
        type: 'threshold',
        expression: 'holds',
        conditions: [{ evaluator: { type: 'gt', params: [0] } }],
      }),
    ],
    noDataState: 'OK',
    execErrState: 'Error',
    for: alert.for,
    annotations: {
      ...alert.annotations,
      // In Grafana `$value` is a text of all queries; the query's own value is `$values.query.Value`.
      summary: alert.annotations.summary.replaceAll('$value', '$values.query.Value'),
    },
    labels: alert.labels,
  };
}
