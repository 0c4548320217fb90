import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import type { VariableModel } from '@grafana/grafana-foundation-sdk/dashboard';
import {
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  VariableHide,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { datasource } from './query.ts';

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
