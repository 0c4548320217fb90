import { alert, type RuleGroup, type Severity } from './rule.ts';

/** What the service promises. The dashboards' burn rate holds the same objective. */
export interface Objective {
  /** Share of requests that must not fail, 0–1. */
  readonly availability: number;
}

export const objective: Objective = { availability: 0.999 };

const requests = 'http_server_request_duration_seconds_count';
const windows = ['5m', '30m', '1h', '6h', '3d'] as const;
type Window = (typeof windows)[number];

const recorded = (window: Window): string => `job:http_server_request_errors:ratio_rate${window}`;

/** Error ratios by job over every window that an alert looks at. */
const recordings: RuleGroup = {
  name: 'weir-objectives-records',
  interval: '30s',
  rules: windows.map((window) => {
    const all = `sum by (job) (rate(${requests}[${window}]))`;
    const failed = `sum by (job) (rate(${requests}{http_response_status_code=~"5.."}[${window}]))`;
    // A job without a failure has no 5xx series: its ratio is 0, not absent.
    return { record: recorded(window), expr: `(${failed} or 0 * ${all}) / (${all} > 0)` };
  }),
};

/**
 * Multi-window burn rates after the SRE workbook: the long window says that it matters, the short one that it still
 * goes on, so that the alert ends soon after the trouble.
 */
function burn(spec: {
  name: string;
  rate: number;
  long: Window;
  short: Window;
  severity: Severity;
  for: string;
}): ReturnType<typeof alert> {
  const { name, rate, long, short, severity } = spec;
  const limit = Number((rate * (1 - objective.availability)).toPrecision(6));
  return alert({
    name,
    severity,
    runbook: 'error-budget-burn',
    expr: `${recorded(long)} > ${limit} and ${recorded(short)} > ${limit}`,
    for: spec.for,
    summary: `{{ $labels.job }} fails {{ $value | humanizePercentage }} of its requests`,
    description: `The error budget of ${objective.availability * 100} % burns ${rate} times as fast as it may, over ${long} and still over ${short}. Open the HTTP dashboard for job {{ $labels.job }}, find the route that fails under “Refused and failed by route”, and undo what changed last.`,
  });
}

/** Recorded ratios and the alerts on them. */
export const objectives: readonly RuleGroup[] = [
  recordings,
  {
    name: 'weir-objectives-alerts',
    interval: '30s',
    rules: [
      burn({
        name: 'WeirErrorBudgetBurnFast',
        rate: 14.4,
        long: '1h',
        short: '5m',
        severity: 'page',
        for: '2m',
      }),
      burn({ name: 'WeirErrorBudgetBurn', rate: 6, long: '6h', short: '30m', severity: 'page', for: '15m' }),
      burn({
        name: 'WeirErrorBudgetBurnSlow',
        rate: 1,
        long: '3d',
        short: '6h',
        severity: 'ticket',
        for: '1h',
      }),
    ],
  },
];
