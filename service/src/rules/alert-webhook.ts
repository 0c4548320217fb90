import { createHash } from 'node:crypto';

/** An alert as a notification carries it. */
export interface AlertNotice {
  readonly status: 'firing' | 'resolved';
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAtMs: number;
  readonly endsAtMs: number | undefined;
  readonly query: string;
}

/** Alertmanager's webhook body, version 4, of alerts that share their name. */
export function webhookBody(alertname: string, alerts: readonly AlertNotice[], externalUrl: string): object {
  return {
    version: '4',
    groupKey: `{}:{alertname=${JSON.stringify(alertname)}}`,
    truncatedAlerts: 0,
    status: alerts.some(({ status }) => status === 'firing') ? 'firing' : 'resolved',
    receiver: 'webhook',
    groupLabels: { alertname },
    commonLabels: common(alerts.map(({ labels }) => labels)),
    commonAnnotations: common(alerts.map(({ annotations }) => annotations)),
    externalURL: externalUrl,
    alerts: alerts.map(({ status, labels, annotations, startsAtMs, endsAtMs, query }) => ({
      status,
      labels,
      annotations,
      startsAt: new Date(startsAtMs).toISOString(),
      endsAt: endsAtMs === undefined ? '0001-01-01T00:00:00Z' : new Date(endsAtMs).toISOString(),
      generatorURL: `${externalUrl}/ui/explore?expr=${encodeURIComponent(query)}`,
      fingerprint: fingerprint(labels),
    })),
  };
}

function common(all: readonly Readonly<Record<string, string>>[]): Record<string, string> {
  const [first = {}, ...rest] = all;
  return Object.fromEntries(
    Object.entries(first).filter(([name, value]) => rest.every((other) => other[name] === value)),
  );
}

// Equal for equal labels; 16 hexadecimal digits like Alertmanager's, from another hash.
function fingerprint(labels: Readonly<Record<string, string>>): string {
  const text = JSON.stringify(Object.entries(labels).sort());
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
