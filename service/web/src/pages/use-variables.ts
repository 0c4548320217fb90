import { useMemo } from 'preact/hooks';
import { labelValues } from '../api/prometheus.ts';
import type { Dashboard, Variable } from '../model/dashboard.ts';
import type { TimeRange } from '../time/range.ts';
import { changeSearch } from '../ui/router.ts';
import { useAsync } from '../ui/use-async.ts';
import { interpolate, type Scope, type VariableValue } from '../variables/interpolate.ts';
import { naturalOrder, parseLabelValues } from '../variables/label-values.ts';

/** A variable that the reader may choose. */
export interface VariableState {
  readonly name: string;
  readonly label: string;
  readonly options: readonly string[];
  /** Empty means all. */
  readonly selected: readonly string[];
  readonly error: string | undefined;
  select(values: readonly string[]): void;
}

/** The dashboard's query variables, each asked with the choices of those before it. */
export function useVariables(
  dashboard: Dashboard,
  search: URLSearchParams,
  range: TimeRange,
): { readonly variables: readonly VariableState[]; readonly scope: Scope } {
  const declared = (dashboard.templating?.list ?? []).filter(({ type }) => type === 'query');
  const chosen = JSON.stringify(declared.map(({ name }) => search.getAll(`var-${name}`)));
  // Options change slowly: asked again each minute, not with every refresh.
  const minute = Math.floor(range.toMs / 60_000);
  const scope = useMemo(() => scopeOf(declared, JSON.parse(chosen) as string[][]), [dashboard, chosen]);
  const { data, error } = useAsync(
    () => Promise.all(declared.map((variable) => optionsOf(variable, scope, range))),
    [dashboard, scope, minute],
  );
  const variables = declared.map((variable, index): VariableState => {
    const { name, label = name } = variable;
    return {
      name,
      label,
      options: data?.[index] ?? [],
      selected: search.getAll(`var-${name}`),
      error,
      select: (values) => changeSearch({ [`var-${name}`]: values }),
    };
  });
  return { variables, scope };
}

function scopeOf(declared: readonly Variable[], chosen: readonly string[][]): Scope {
  const values = declared.map(({ name, allValue }, index): [string, VariableValue] => {
    const picked = chosen[index] ?? [];
    return [name, picked.length === 0 ? (allValue ?? '.*') : picked];
  });
  return Object.fromEntries(values);
}

async function optionsOf(variable: Variable, scope: Scope, range: TimeRange): Promise<readonly string[]> {
  const text = typeof variable.query === 'string' ? variable.query : (variable.query?.query ?? '');
  const query = parseLabelValues(interpolate(text, scope));
  if (query === undefined) return [];
  return (await labelValues(query.label, query.selector, range)).sort(naturalOrder);
}
