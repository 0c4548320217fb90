import type { ScenarioIssue } from './errors.ts';
import { ScenarioError } from './errors.ts';
import { formatCount, formatLatency } from './report/format.ts';
import type { BenchmarkResult } from './result.ts';

/** A service level objective, e.g. `p99 < 250ms`. */
export interface Objective {
  readonly expression: string;
  readonly metric: string;
  readonly operator: '<' | '<=' | '>' | '>=';
  /** In milliseconds, as a share from 0 to 1, or per second, as the metric is. */
  readonly bound: number;
}

/** Whether a result met an objective. */
export interface ObjectiveOutcome {
  readonly expression: string;
  readonly met: boolean;
  /** In the metric's unit; `null` where the run has no such value. */
  readonly actual: number | null;
}

type Kind = 'latency' | 'share' | 'rate';

interface Metric {
  readonly kind: Kind;
  readonly read: (result: BenchmarkResult) => number | undefined;
}

const share = (part: number, whole: number): number => (whole === 0 ? 1 : part / whole);

const metrics: Readonly<Record<string, Metric>> = {
  min: { kind: 'latency', read: ({ latencyMs }) => latencyMs.min },
  mean: { kind: 'latency', read: ({ latencyMs }) => latencyMs.mean },
  p50: { kind: 'latency', read: ({ latencyMs }) => latencyMs.p50 },
  p90: { kind: 'latency', read: ({ latencyMs }) => latencyMs.p90 },
  p95: { kind: 'latency', read: ({ latencyMs }) => latencyMs.p95 },
  p99: { kind: 'latency', read: ({ latencyMs }) => latencyMs.p99 },
  'p99.9': { kind: 'latency', read: ({ latencyMs }) => latencyMs.p999 },
  max: { kind: 'latency', read: ({ latencyMs }) => latencyMs.max },
  errors: { kind: 'share', read: ({ requests }) => share(requests.errors + requests.non2xx, requests.total) },
  timeouts: { kind: 'share', read: ({ requests }) => share(requests.timeouts, requests.total) },
  achievedRate: { kind: 'share', read: ({ arrivals }) => arrivals?.achieved },
  checks: {
    kind: 'share',
    read: ({ checks }) => checks && share(checks.passed, checks.passed + checks.failed),
  },
  rate: { kind: 'rate', read: ({ requests }) => requests.perSecond },
};

const units: Readonly<Record<Kind, Readonly<Record<string, number>>>> = {
  latency: { us: 0.001, µs: 0.001, ms: 1, s: 1_000 },
  share: { '%': 0.01, '': 1 },
  rate: { '/s': 1, '': 1 },
};

/** Why an expression is none, or `undefined`. */
export function explainObjective(expression: string): string | undefined {
  const parsed = parse(expression);
  return typeof parsed === 'string' ? parsed : undefined;
}

/**
 * Reads `<metric> <operator> <value><unit>`. Metrics: `min`, `mean`, `p50`, `p90`, `p95`, `p99`, `p99.9`, `max` in us, ms or s; `errors` (whatever
 * was not answered with 2xx), `timeouts`, `achievedRate` (open loop), `checks` in %; `rate` in /s. Operators: `<`, `<=`, `>`, `>=`.
 *
 * @throws {@link ScenarioError}
 */
export function parseObjective(expression: string): Objective {
  const parsed = parse(expression);
  if (typeof parsed !== 'string') return parsed;
  const issue: ScenarioIssue = { path: 'objectives', message: parsed };
  throw new ScenarioError([issue]);
}

/** A value that a run does not have, such as `achievedRate` of a closed loop, misses its objective. */
export function checkObjective(objective: Objective, result: BenchmarkResult): ObjectiveOutcome {
  const actual = metrics[objective.metric]?.read(result);
  const met = actual !== undefined && result.requests.total > 0 && holds(actual, objective);
  return { expression: objective.expression, met, actual: actual ?? null };
}

/** `p99 < 250ms: 312 ms`. */
export function describeObjective({ expression, actual }: ObjectiveOutcome): string {
  if (actual === null) return `${expression}: not measured`;
  const kind = metrics[parseObjective(expression).metric]?.kind;
  if (kind === 'latency') return `${expression}: ${formatLatency(actual)}`;
  return `${expression}: ${kind === 'share' ? `${(actual * 100).toFixed(2)} %` : `${formatCount(actual)}/s`}`;
}

function holds(actual: number, { operator, bound }: Objective): boolean {
  switch (operator) {
    case '<':
      return actual < bound;
    case '<=':
      return actual <= bound;
    case '>':
      return actual > bound;
    case '>=':
      return actual >= bound;
  }
}

function parse(expression: string): Objective | string {
  const match = /^\s*([a-zA-Z0-9.]+)\s*(<=|>=|<|>)\s*(\d+(?:\.\d+)?)\s*(\S*)\s*$/.exec(expression);
  if (match === null)
    return `\`${expression}\` is no objective; write it as \`p99 < 250ms\` or \`errors < 0.1%\``;
  const [, metric = '', operator = '<', value = '', unit = ''] = match;
  const known = Object.hasOwn(metrics, metric) ? metrics[metric] : undefined;
  if (known === undefined)
    return `\`${expression}\`: unknown metric \`${metric}\`; there is ${Object.keys(metrics).join(', ')}`;
  const factor = units[known.kind][unit];
  if (factor === undefined) {
    return `\`${expression}\`: expected a unit of ${Object.keys(units[known.kind]).filter(Boolean).join(', ')}`;
  }
  return {
    expression: expression.trim(),
    metric,
    operator: operator as Objective['operator'],
    bound: Number(value) * factor,
  };
}
