import type { Labels } from '@weir/promql';
import type { Rule } from './rule-group.ts';

export type AlertStateName = 'pending' | 'firing';

/** One element of an alerting rule's result over time. */
export interface Alert {
  readonly labels: Labels;
  annotations: Readonly<Record<string, string>>;
  value: number;
  state: AlertStateName;
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
