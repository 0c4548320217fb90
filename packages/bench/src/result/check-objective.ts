import { ScenarioError, type ScenarioIssue } from '../errors.ts';
import type { LatencySummary } from '../load/histogram.ts';
import { formatCount, formatLatency } from './format.ts';
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
  /** `undefined` where the run has no such value; never a value that stands for nothing. */
  readonly read: (result: BenchmarkResult) => number | undefined;
  /** Of a latency: the shares of requests that must have been answered, and have succeeded; else it is known from below only. */
  readonly needs?: { readonly answered: number; readonly succeeded: number };
}

const rounding = 1e-9;
const share = (part: number, whole: number): number | undefined => (whole === 0 ? undefined : part / whole);

/** A failed request ranks above every answer, so a percentile needs as many successes as it spans. */
const latency = (name: keyof LatencySummary, succeeded: number, answered: number = succeeded): Metric => ({
  kind: 'latency',
  read: ({ latencyMs, requests, failures }) => {
    const { timeout = 0, dropped = 0 } = failures;
    return requests.ok + requests.non2xx + timeout + dropped === 0 ? undefined : latencyMs[name];
  },
  needs: { answered, succeeded },
});

const metrics: Readonly<Record<string, Metric>> = {
  min: latency('min', 0),
  // One unanswered request makes the mean and the maximum unknown; a few quick refusals do not.
  mean: latency('mean', 0.99, 1),
  p50: latency('p50', 0.5),
  p90: latency('p90', 0.9),
  p95: latency('p95', 0.95),
  p99: latency('p99', 0.99),
  'p99.9': latency('p999', 0.999),
  max: latency('max', 0.99, 1),
  errors: { kind: 'share', read: ({ requests }) => share(requests.errors + requests.non2xx, requests.total) },
  timeouts: { kind: 'share', read: ({ requests }) => share(requests.timeouts, requests.total) },
  achievedRate: { kind: 'share', read: ({ arrivals }) => arrivals?.achieved },
  checks: {
    kind: 'share',
    read: ({ checks }) => checks && share(checks.passed, checks.passed + checks.failed),
  },
  rate: { kind: 'rate', read: successRate },
};

/**
 * Answers with a status below 400, or in flows those that passed their checks. What fails quickly is no quick answer, and what was never
 * answered has no latency at all.
 */
function countSuccesses({ requests, statusCodes, checks }: BenchmarkResult): number {
  if (checks !== undefined) return checks.passed;
  const refusals = Object.entries(statusCodes).filter(([status]) => Number(status) >= 400);
  return requests.ok + requests.non2xx - refusals.reduce((sum, [, count]) => sum + count, 0);
}

/** Of all requests; in flows also of those that could not be sent. */
function succeededShare(result: BenchmarkResult): number {
  const { requests, checks } = result;
  const all = checks === undefined ? requests.total : checks.passed + checks.failed;
  return share(countSuccesses(result), all) ?? 0;
}

/** Successful answers per second. */
function successRate(result: BenchmarkResult): number {
  const { requests } = result;
  return requests.perSecond * (share(countSuccesses(result), requests.ok + requests.non2xx) ?? 0);
}

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
 * was not answered with 2xx), `timeouts`, `achievedRate` (open loop), `checks` in %; `rate` (successful answers) in /s. Operators: `<`, `<=`, `>`, `>=`.
 *
 * @throws {@link ScenarioError}
 */
export function parseObjective(expression: string): Objective {
  const parsed = parse(expression);
  if (typeof parsed !== 'string') return parsed;
  const issue: ScenarioIssue = { path: 'objectives', message: parsed };
  throw new ScenarioError([issue]);
}

/**
 * A value that a run does not have misses its objective, whatever the bound: `achievedRate` of a closed loop, `checks` where none was
 * made, a percentile that reaches into the requests that failed (no answer, a status of 400 or more, a failed check).
 */
export function checkObjective(objective: Objective, result: BenchmarkResult): ObjectiveOutcome {
  const { expression } = objective;
  const metric = metrics[objective.metric];
  const actual = result.requests.total === 0 ? undefined : metric?.read(result);
  if (actual === undefined || !holds(actual, objective))
    return { expression, met: false, actual: actual ?? null };
  const { needs = { answered: 0, succeeded: 0 } } = metric ?? {};
  const { requests } = result;
  const isWhole =
    1 - requests.errors / requests.total >= needs.answered - rounding &&
    succeededShare(result) >= needs.succeeded - rounding;
  return { expression, met: isWhole, actual: isWhole ? actual : null };
}

/** `p99 < 250ms: 312 ms`. */
export function describeObjective({ expression, actual }: ObjectiveOutcome): string {
  const metric = metrics[parseObjective(expression).metric];
  const kind = metric?.kind;
  if (actual === null)
    return `${expression}: not measured${metric?.needs === undefined ? '' : ', too many requests failed'}`;
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
