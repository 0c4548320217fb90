import type { Labels } from '@weir/promql';
import type { Rule } from './rule-group.ts';

export type AlertStateName = 'pending' | 'firing';

/** One element of an alerting rule's result over time. */
export interface Alert {
  readonly labels: Labels;
  annotations: Readonly<Record<string, string>>;
  value: number;
  state: AlertStateName | 'inactive';
  /** Since when the expression has held. */
  readonly activeMs: number;
  firedMs: number | undefined;
  resolvedMs: number | undefined;
  /** When the expression last stopped to hold while `keep_firing_for` lasts. */
  keepFiringSinceMs: number | undefined;
  /** State and time of the last notification. */
  sent: { readonly isFiring: boolean; readonly timeMs: number } | undefined;
}

/** An alert as a notification carries it. */
export interface AlertNotice {
  readonly status: 'firing' | 'resolved';
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAtMs: number;
  readonly endsAtMs: number | undefined;
  readonly query: string;
}

/** Resolved alerts are remembered this long, so that their end can still be told. */
const resolvedRetentionMs = 900_000;
/** A firing alert is told again this often. */
const repeatMs = 4 * 3_600_000;

/**
 * Moves one alert by one evaluation. Pending becomes firing when the expression has held for `for`; firing ends when it
 * no longer holds and `keep_firing_for` has passed. Returns whether to forget it.
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
  if (alert.state === 'firing' && rule.keepFiringForMs > 0) {
    alert.keepFiringSinceMs ??= timeMs;
    if (timeMs - alert.keepFiringSinceMs < rule.keepFiringForMs) return false;
  }
  if (alert.state === 'pending') return true;
  if (alert.state === 'firing') {
    alert.state = 'inactive';
    alert.resolvedMs = timeMs;
  }
  return timeMs - (alert.resolvedMs ?? timeMs) > resolvedRetentionMs;
}

/** The notice due now, which then counts as sent, or `undefined`. */
export function noticeOf(alert: Alert, rule: Rule, timeMs: number): AlertNotice | undefined {
  if (alert.state === 'pending') return undefined;
  const isFiring = alert.state === 'firing';
  const isDue =
    alert.sent === undefined
      ? isFiring
      : alert.sent.isFiring !== isFiring || (isFiring && timeMs - alert.sent.timeMs >= repeatMs);
  if (!isDue) return undefined;
  alert.sent = { isFiring, timeMs };
  return {
    status: isFiring ? 'firing' : 'resolved',
    labels: alert.labels.toJSON(),
    annotations: alert.annotations,
    startsAtMs: alert.firedMs ?? alert.activeMs,
    endsAtMs: alert.resolvedMs,
    query: rule.query,
  };
}
