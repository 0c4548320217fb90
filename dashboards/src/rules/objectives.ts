import { badRatio, eventsOf, type Objective, type Slo } from '../slo.ts';
import { type AlertingRule, alert, type RecordingRule, type RuleGroup, type Severity } from './rule.ts';

const windows = ['5m', '30m', '1h', '6h', '3d'] as const;
type Window = (typeof windows)[number];

/** One alert of an objective: both windows must spend the budget `rate` times as fast as it may be spent. */
interface Burn {
  readonly suffix: string;
  readonly rate: number;
  readonly long: Window;
  readonly short: Window;
  readonly severity: Severity;
  readonly for: string;
}

/**
 * Multi-window burn rates after the SRE workbook: the long window says that it matters, the short one that it still
 * goes on, so that the alert ends soon after the trouble.
 */
const burns: readonly Burn[] = [
  { suffix: 'BurnFast', rate: 14.4, long: '1h', short: '5m', severity: 'page', for: '2m' },
  { suffix: 'Burn', rate: 6, long: '6h', short: '30m', severity: 'page', for: '15m' },
  { suffix: 'BurnSlow', rate: 1, long: '3d', short: '6h', severity: 'ticket', for: '1h' },
];

const recorded = (window: Window): string => `job_slo:http_server_requests_bad:ratio_rate${window}`;

/** Shares of bad requests by job over every window that an alert looks at. */
function recordings(objective: Objective): RecordingRule[] {
  const events = eventsOf(objective);
  return windows.map((window) => ({
    record: recorded(window),
    labels: { slo: objective.name },
    expr: badRatio(events, 'rate', window, 'sum by (job)'),
  }));
}

function alerts(objective: Objective): AlertingRule[] {
  const { name, target, withinSeconds } = objective;
  const isLatency = withinSeconds !== undefined;
  const percent = Number((target * 100).toPrecision(6));
  const promise = isLatency ? `${percent} % within ${withinSeconds} s` : `${percent} % without 5xx`;
  return burns.flatMap((burn) => {
    const limit = Number((burn.rate * (1 - target)).toPrecision(6));
    // No share of bad requests reaches it: an objective this loose knows no such burn.
    if (limit >= 1) return [];
    const above = (window: Window): string => `${recorded(window)}{slo="${name}"} > ${limit}`;
    return alert({
      name: `${isLatency ? 'WeirLatencyBudget' : 'WeirErrorBudget'}${burn.suffix}`,
      severity: burn.severity,
      labels: { slo: name },
      runbook: isLatency ? 'latency-budget-burn' : 'error-budget-burn',
      expr: `${above(burn.long)} and ${above(burn.short)}`,
      for: burn.for,
      summary: isLatency
        ? `{{ $labels.job }} answers {{ $value | humanizePercentage }} of its requests later than ${withinSeconds} s`
        : '{{ $labels.job }} fails {{ $value | humanizePercentage }} of its requests',
      description: `The budget of “${name}” (${promise}) burns ${burn.rate} times as fast as it may, over ${burn.long} and still over ${burn.short}. ${isLatency ? 'Open the HTTP dashboard for job {{ $labels.job }}, find the slow route under “Latency by route (p99)” and follow an exemplar to its trace; if all routes are slow, look at the runtime dashboard.' : 'Open the HTTP dashboard for job {{ $labels.job }}, find the route that fails under “Refused and failed by route”, and undo what changed last.'}`,
    });
  });
}

/** Recorded ratios of every objective and the alerts on them. */
export function objectives(slo: Slo): readonly RuleGroup[] {
  return [
    {
      name: 'weir-objectives-records',
      interval: '30s',
      rules: slo.objectives.flatMap(recordings),
    },
    { name: 'weir-objectives-alerts', interval: '30s', rules: slo.objectives.flatMap(alerts) },
  ];
}
