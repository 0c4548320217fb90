import { Labels, type Matcher, parseMetricSelector } from '@weir/promql';
import type { Rule, RuleGroup } from './rule-group.ts';

/** The parameters of `/api/v1/rules`; what is empty asks for everything. */
export interface RuleQuery {
  readonly type: 'alert' | 'record' | undefined;
  readonly names: readonly string[];
  readonly groups: readonly string[];
  readonly files: readonly string[];
  /** Selectors on the labels that the rules set; one has to match. */
  readonly match: readonly string[];
  readonly excludeAlerts: boolean;
}

/** Which rules an answer of `/api/v1/rules` holds. */
export class RuleFilter {
  readonly isEmpty: boolean;
  readonly excludeAlerts: boolean;
  readonly #query: RuleQuery;
  readonly #selectors: readonly (readonly Matcher[])[];

  /** @throws PromqlError `bad_data` for what is no selector. */
  constructor(query: RuleQuery) {
    const { type, names, groups, files, match, excludeAlerts } = query;
    this.#query = query;
    this.#selectors = match.map((text) => parseMetricSelector(text));
    this.excludeAlerts = excludeAlerts;
    this.isEmpty = type === undefined && [names, groups, files, match].every((list) => list.length === 0);
  }

  matches(rule: Rule, group: RuleGroup): boolean {
    const { type, names, groups, files } = this.#query;
    const isAlert = rule.kind === 'alerting';
    if (type !== undefined && (type === 'alert') !== isAlert) return false;
    if (names.length > 0 && !names.includes(rule.name)) return false;
    if (groups.length > 0 && !groups.includes(group.name)) return false;
    if (files.length > 0 && !files.includes(group.file)) return false;
    if (this.#selectors.length === 0) return true;
    const labels = Labels.from(rule.labels);
    return this.#selectors.some((matchers) =>
      matchers.every((matcher) => matcher.matches(labels.get(matcher.name))),
    );
  }
}
