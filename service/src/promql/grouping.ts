import type { Aggregate } from './ast.ts';
import type { Labels } from './labels.ts';
import type { StepSeries } from './step-series.ts';

export interface Group {
  readonly labels: Labels;
  readonly members: readonly StepSeries[];
}

/** Groups in the order of their first member. `without` always leaves the name out, `by` keeps what it names. */
export function groupSeries(
  node: Pick<Aggregate, 'grouping' | 'without'>,
  series: readonly StepSeries[],
): Group[] {
  const names = new Set(node.grouping);
  const keep = node.without
    ? (name: string): boolean => name !== '__name__' && !names.has(name)
    : (name: string): boolean => names.has(name);
  const byKey = new Map<string, { labels: Labels; members: StepSeries[] }>();
  for (const one of series) {
    const key = !node.without && names.size === 0 ? '' : one.labels.signatureOf(keep);
    const group = byKey.get(key);
    if (group === undefined) byKey.set(key, { labels: one.labels.filter(keep), members: [one] });
    else group.members.push(one);
  }
  return [...byKey.values()];
}
