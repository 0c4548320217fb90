import type { RuleGroup } from './rule.ts';

/**
 * Every alert's expression with recorded series replaced by what records them, so that it asks of scraped series
 * alone: for engines that record nothing, and to compare engines that record at different moments.
 *
 * @param step of the subqueries that ranges of recorded series become
 */
export function inlineRecordings(groups: readonly RuleGroup[], step: string): ReadonlyMap<string, string> {
  const recordings = groups
    .flatMap(({ rules }) => rules)
    .flatMap((rule) => ('record' in rule ? [rule] : []))
    .map(({ record, labels, expr }) => ({
      selector: labels?.slo === undefined ? record : `${record}{slo="${labels.slo}"}`,
      expr,
    }));
  const inlined = new Map<string, string>();
  for (const rule of groups.flatMap(({ rules }) => rules)) {
    if (!('alert' in rule)) continue;
    let expr = rule.expr;
    for (const recording of recordings) {
      expr = expr
        .replaceAll(`${recording.selector}[`, `(${recording.expr})[STEP `)
        .replaceAll(recording.selector, `(${recording.expr})`)
        .replace(/\[STEP (\w+)\]/g, `[$1:${step}]`);
    }
    inlined.set(`${rule.alert} ${rule.labels.slo ?? ''}`.trim(), expr);
  }
  return inlined;
}
