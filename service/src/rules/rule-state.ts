import type { Labels } from '@weir/promql';
import type { MemorySeries } from '../store/series.ts';

/** A rule as files in Prometheus' format hold it, checked. */
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

/** Rules that are evaluated one after the other, every interval. */
export interface RuleGroup {
  readonly name: string;
  readonly file: string;
  readonly intervalMs: number;
  /** Series an evaluation may yield; 0 for no bound. */
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

/** A rule with what its evaluations left behind. */
export interface RuleState {
  readonly rule: Rule;
  readonly alerts: Map<string, Alert>;
  /** Series the last evaluation wrote; those not written again get a stale marker. */
  written: Set<MemorySeries>;
  health: 'unknown' | 'ok' | 'err';
  lastError: string;
  evaluatedMs: number | undefined;
  durationMs: number;
  /** Whether an evaluation has succeeded, so that the absence of an alert means something. */
  isKnown: boolean;
}

/** A group with the states of its rules. */
export interface RuleGroupState {
  readonly group: RuleGroup;
  readonly rules: readonly RuleState[];
  evaluatedMs: number | undefined;
  durationMs: number;
}

/** The state of a rule that was never evaluated. */
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

/** By what a group is the same one in another configuration. */
export function placeOf({ file, name }: RuleGroup): string {
  return JSON.stringify([file, name]);
}

/** By what a rule is the same one in another configuration, as in Prometheus. */
export function identityOf({ kind, name, labels }: Rule): string {
  return JSON.stringify([kind, name, Object.entries(labels).sort()]);
}

/** One element of an alerting rule's result over time. */
export interface Alert {
  readonly labels: Labels;
  annotations: Readonly<Record<string, string>>;
  value: number;
  state: 'pending' | 'firing';
  /** Since when the expression has held. */
  readonly activeMs: number;
  firedMs: number | undefined;
  /** When the expression last stopped to hold while `keep_firing_for` lasts. */
  keepFiringSinceMs: number | undefined;
}

/**
 * Moves one alert by one evaluation. Pending becomes firing when the expression has held for `for`; firing ends when it
 * no longer holds and `keep_firing_for` has passed. Returns whether the alert is over.
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

/** What one evaluation of a group found. */
export interface GroupAlerts {
  readonly firing: readonly FiringAlert[];
  /** Names of alerts whose rule has never been evaluated without an error: whether they fire is not known. */
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
