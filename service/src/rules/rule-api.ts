import { formatValue, Labels, type Matcher, parseMetricSelector } from '@weir/promql';
import type { Alert, Rule, RuleGroup, RuleGroupState, RuleState } from './rule-state.ts';

/** The parameters of `/api/v1/rules`. An empty one does not restrict the answer. */
export interface RuleQuery {
  readonly type: 'alert' | 'record' | undefined;
  readonly names: readonly string[];
  readonly groups: readonly string[];
  readonly files: readonly string[];
  /** Selectors on the labels of the rules; at least one has to match. */
  readonly match: readonly string[];
  readonly excludeAlerts: boolean;
}

type LabelSet = Readonly<Record<string, string>>;

/** A group in the answer of `/api/v1/rules`. Durations are seconds, times are RFC 3339. */
export interface ApiRuleGroup {
  readonly name: string;
  readonly file: string;
  readonly rules: readonly (ApiAlertingRule | ApiRecordingRule)[];
  readonly interval: number;
  readonly limit: number;
  readonly evaluationTime: number;
  /** Year 1 before the first evaluation. */
  readonly lastEvaluation: string;
}

interface ApiRule {
  readonly name: string;
  readonly query: string;
  readonly labels: LabelSet;
  readonly health: RuleState['health'];
  /** Absent when the last evaluation succeeded. */
  readonly lastError?: string;
  readonly evaluationTime: number;
  readonly lastEvaluation: string;
}

interface ApiRecordingRule extends ApiRule {
  readonly type: 'recording';
}

/** An alerting rule with its pending and firing alerts. */
export interface ApiAlertingRule extends ApiRule {
  readonly type: 'alerting';
  readonly state: 'firing' | 'pending' | 'inactive';
  readonly duration: number;
  readonly keepFiringFor: number;
  readonly annotations: LabelSet;
  /** Absent when the request excludes alerts. */
  readonly alerts?: readonly ApiAlert[];
}

/** An alert in the answers of `/api/v1/rules` and `/api/v1/alerts`. */
export interface ApiAlert {
  readonly labels: LabelSet;
  readonly annotations: LabelSet;
  readonly state: Alert['state'];
  readonly activeAt: string;
  readonly keepFiringSince?: string;
  readonly value: string;
}

/**
 * The groups in the shape of `/api/v1/rules`, as far as the query asks for them.
 * @throws PromqlError `bad_data` when an entry of `match` is not a selector.
 */
export function describeGroups(groups: readonly RuleGroupState[], query: RuleQuery): ApiRuleGroup[] {
  const filter = new RuleFilter(query);
  return groups.flatMap(({ group, rules, evaluatedMs, durationMs }) => {
    const kept = rules.filter(({ rule }) => filter.matches(rule, group));
    // A group without rules is part of the unfiltered answer only.
    if (kept.length === 0 && !(filter.isEmpty && rules.length === 0)) return [];
    return {
      name: group.name,
      file: group.file,
      rules: kept.map((rule) => describeRule(rule, query.excludeAlerts)),
      interval: group.intervalMs / 1000,
      limit: group.limit,
      evaluationTime: durationMs / 1000,
      lastEvaluation: timestamp(evaluatedMs),
    };
  });
}

/** Pending and firing alerts in the shape of `/api/v1/alerts`. */
export function describeAlerts(groups: readonly RuleGroupState[]): ApiAlert[] {
  return groups.flatMap(({ rules }) => rules.flatMap(({ alerts }) => alertsOf(alerts)));
}

/** Selects the rules of an answer of `/api/v1/rules`. */
class RuleFilter {
  readonly isEmpty: boolean;
  readonly #query: RuleQuery;
  readonly #selectors: readonly (readonly Matcher[])[];

  /** @throws PromqlError `bad_data` when an entry of `match` is not a selector. */
  constructor(query: RuleQuery) {
    const { type, names, groups, files, match } = query;
    this.#query = query;
    this.#selectors = match.map((text) => parseMetricSelector(text));
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

function describeRule(
  { rule, alerts, health, lastError, evaluatedMs, durationMs }: RuleState,
  excludeAlerts: boolean,
): ApiAlertingRule | ApiRecordingRule {
  const common = {
    name: rule.name,
    query: rule.query,
    labels: rule.labels,
    health,
    ...(lastError === '' ? {} : { lastError }),
    evaluationTime: durationMs / 1000,
    lastEvaluation: timestamp(evaluatedMs),
  };
  if (rule.kind === 'recording') return { ...common, type: 'recording' };
  const states = new Set([...alerts.values()].map(({ state }) => state));
  return {
    state: states.has('firing') ? 'firing' : states.has('pending') ? 'pending' : 'inactive',
    ...common,
    duration: rule.forMs / 1000,
    keepFiringFor: rule.keepFiringForMs / 1000,
    annotations: rule.annotations,
    ...(excludeAlerts ? {} : { alerts: alertsOf(alerts) }),
    type: 'alerting',
  };
}

function alertsOf(alerts: ReadonlyMap<string, Alert>): ApiAlert[] {
  return [...alerts.values()].map(({ labels, annotations, state, activeMs, value, keepFiringSinceMs }) => ({
    labels: labels.toJSON(),
    annotations,
    state,
    activeAt: new Date(activeMs).toISOString(),
    ...(keepFiringSinceMs === undefined
      ? {}
      : { keepFiringSince: new Date(keepFiringSinceMs).toISOString() }),
    value: formatExponent(value),
  }));
}

// Alerts carry their value as Go's `%e` with the shortest digits.
function formatExponent(value: number): string {
  if (!Number.isFinite(value)) return formatValue(value);
  return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
}

function timestamp(timeMs: number | undefined): string {
  return timeMs === undefined ? '0001-01-01T00:00:00Z' : new Date(timeMs).toISOString();
}
