import { metricKinds, type Objective, type ObjectiveMetric, parseObjective } from '../scenario/objective.ts';
import { formatCount, formatLatency } from './format.ts';
import type { BenchmarkResult, LatencySummary, ObjectiveOutcome } from './result.ts';

/**
 * Checks an objective against a result. An objective is missed, whatever its bound, when the run has no value of its metric: `achievedRate` in
 * a closed loop, `checks` where none was made, a percentile among the failed requests (no answer, a status of 400 or more, a failed
 * check).
 */
export function checkObjective(objective: Objective, result: BenchmarkResult): ObjectiveOutcome {
  const { expression } = objective;
  const metric = metrics[objective.metric];
  const { requests } = result;
  const actual = requests.total === 0 ? undefined : metric.read(result);
  if (actual === undefined || !holds(actual, objective))
    return { expression, met: false, actual: actual ?? null };
  const { needs = { answered: 0, succeeded: 0 } } = metric;
  const isKnown =
    1 - requests.errors / requests.total >= needs.answered - rounding &&
    succeededShare(result) >= needs.succeeded - rounding;
  return { expression, met: isKnown, actual: isKnown ? actual : null };
}

/** An outcome as one line: `p99 < 250ms: 312 ms`. */
export function describeObjective({ expression, actual }: ObjectiveOutcome): string {
  const { metric } = parseObjective(expression);
  if (actual === null) {
    const reason = metrics[metric].needs === undefined ? '' : ', too many requests failed';
    return `${expression}: not measured${reason}`;
  }
  switch (metricKinds[metric]) {
    case 'latency':
      return `${expression}: ${formatLatency(actual)}`;
    case 'share':
      return `${expression}: ${(actual * 100).toFixed(2)} %`;
    case 'rate':
      return `${expression}: ${formatCount(actual)}/s`;
  }
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

interface Metric {
  /** `undefined` when the run has no such value. */
  readonly read: (result: BenchmarkResult) => number | undefined;
  /** Of a latency: the shares of requests that must be answered, and succeed. With fewer, the value is only a lower bound. */
  readonly needs?: { readonly answered: number; readonly succeeded: number };
}

/** Shares are compared with this tolerance. */
const rounding = 1e-9;
const share = (part: number, whole: number): number | undefined => (whole === 0 ? undefined : part / whole);

/** A failed request ranks above every answer, so a percentile needs as many successes as it covers. */
const latency = (name: keyof LatencySummary, succeeded: number, answered: number = succeeded): Metric => ({
  read: ({ latencyMs, requests, failures }) => {
    const { timeout = 0, dropped = 0 } = failures;
    return requests.ok + requests.non2xx + timeout + dropped === 0 ? undefined : latencyMs[name];
  },
  needs: { answered, succeeded },
});

const metrics: Readonly<Record<ObjectiveMetric, Metric>> = {
  min: latency('min', 0),
  // One unanswered request makes the mean and the maximum unknown; a few fast failures do not.
  mean: latency('mean', 0.99, 1),
  p50: latency('p50', 0.5),
  p90: latency('p90', 0.9),
  p95: latency('p95', 0.95),
  p99: latency('p99', 0.99),
  'p99.9': latency('p999', 0.999),
  max: latency('max', 0.99, 1),
  errors: { read: ({ requests }) => share(requests.errors + requests.non2xx, requests.total) },
  timeouts: { read: ({ requests }) => share(requests.timeouts, requests.total) },
  achievedRate: { read: ({ arrivals }) => arrivals?.achieved },
  checks: { read: ({ checks }) => checks && share(checks.passed, checks.passed + checks.failed) },
  rate: { read: successRate },
};

/** Answers with a status below 400; in flows, answers that passed their checks. */
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
