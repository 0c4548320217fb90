import type { Labels } from '@weir/promql';
import type { MemorySeries } from '../store/series.ts';

/** A checked rule of a rule file in Prometheus' format. */
export interface Rule {
  readonly kind: 'recording' | 'alerting';
  /** The recorded metric, or the alert's name. */
  readonly name: string;
  readonly query: string;
  readonly forMs: number;
  readonly keepFiringForMs: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Rules that are evaluated in order at one interval. */
export interface RuleGroup {
  readonly name: string;
  readonly file: string;
  readonly intervalMs: number;
  /** The most series of a rule's result; 0 means no bound. */
  readonly limit: number;
  readonly rules: readonly Rule[];
}

/** The names under which rules write samples: recorded metrics and, for alerting rules, `ALERTS` and `ALERTS_FOR_STATE`. */
export function writtenNames(groups: readonly RuleGroup[]): Set<string> {
  const rules = groups.flatMap((group) => group.rules);
  return new Set(
    rules.flatMap(({ kind, name }) => (kind === 'recording' ? [name] : ['ALERTS', 'ALERTS_FOR_STATE'])),
  );
}

/** A rule with the state that its evaluations left. */
export interface RuleState {
  readonly rule: Rule;
  readonly alerts: Map<string, Alert>;
  /** Series of the last evaluation. Those that the next one does not write get a stale marker. */
  written: Set<MemorySeries>;
  health: 'unknown' | 'ok' | 'err';
  lastError: string;
  evaluatedMs: number | undefined;
  durationMs: number;
  /** Whether an evaluation has succeeded: only then does a missing alert mean that it does not fire. */
  isKnown: boolean;
}

/** A group with the states of its rules. */
export interface RuleGroupState {
  readonly group: RuleGroup;
  readonly rules: readonly RuleState[];
  evaluatedMs: number | undefined;
  durationMs: number;
}

/** The state of a rule before its first evaluation. */
export function freshState(rule: Rule): RuleState {
  return {
    rule,
    alerts: new Map(),
    written: new Set(),
    health: 'unknown',
    lastError: '',
    evaluatedMs: undefined,
    durationMs: 0,
    isKnown: false,
  };
}

/** Identity of a group across configurations: its file and name. */
export function placeOf({ file, name }: RuleGroup): string {
  return JSON.stringify([file, name]);
}

/** Identity of a rule across configurations, as in Prometheus: kind, name and labels. */
export function identityOf({ kind, name, labels }: Rule): string {
  return JSON.stringify([kind, name, Object.entries(labels).sort()]);
}

/** One series of an alerting rule's result over time. */
export interface Alert {
  readonly labels: Labels;
  annotations: Readonly<Record<string, string>>;
  value: number;
  state: 'pending' | 'firing';
  /** When the expression began to hold, in Unix milliseconds. */
  readonly activeMs: number;
  firedMs: number | undefined;
  /** When the expression stopped holding, while `keep_firing_for` lasts. */
  keepFiringSinceMs: number | undefined;
}

/**
 * Advances an alert by one evaluation. It becomes firing once the expression has held for `for`, and ends once the expression has not
 * held for `keep_firing_for`. Returns whether the alert has ended.
 */
export function advanceAlert(alert: Alert, rule: Rule, isActive: boolean, timeMs: number): boolean {
  if (isActive) {
    alert.keepFiringSinceMs = undefined;
    if (alert.state === 'pending' && timeMs - alert.activeMs >= rule.forMs) {
      alert.state = 'firing';
      alert.firedMs = timeMs;
    }
    return false;
  }
  if (alert.state === 'pending' || rule.keepFiringForMs === 0) return true;
  alert.keepFiringSinceMs ??= timeMs;
  return timeMs - alert.keepFiringSinceMs >= rule.keepFiringForMs;
}

/** An alert that fires. */
export interface FiringAlert {
  /** Unique among the alerts of all rules. */
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAtMs: number;
  /** The expression of its rule. */
  readonly query: string;
}

/** The alerts of one evaluation of a group. */
export interface GroupAlerts {
  readonly firing: readonly FiringAlert[];
  /** Names of alerting rules that were never evaluated without an error, so whether they fire is unknown. */
  readonly unknown: readonly string[];
}

/** The alerts of a rule that fire. */
export function firingAlerts({ rule, alerts }: RuleState): FiringAlert[] {
  return [...alerts].flatMap(([id, { state, labels, annotations, firedMs, activeMs }]) =>
    state === 'firing'
      ? [{ id, labels: labels.toJSON(), annotations, startsAtMs: firedMs ?? activeMs, query: rule.query }]
      : [],
  );
}
