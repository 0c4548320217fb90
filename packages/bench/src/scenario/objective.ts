import { ScenarioError } from '../errors.ts';

/** A service level objective, e.g. `p99 < 250ms`. */
export interface Objective {
  readonly expression: string;
  readonly metric: ObjectiveMetric;
  readonly operator: '<' | '<=' | '>' | '>=';
  /** Milliseconds of a latency, a share from 0 to 1, or a number per second. */
  readonly bound: number;
}

/** What an objective can be about. */
export type ObjectiveMetric =
  | 'min'
  | 'mean'
  | 'p50'
  | 'p90'
  | 'p95'
  | 'p99'
  | 'p99.9'
  | 'max'
  | 'errors'
  | 'timeouts'
  | 'achievedRate'
  | 'checks'
  | 'rate';

type MetricKind = 'latency' | 'share' | 'rate';

/** Which units a metric takes. */
export const metricKinds: Readonly<Record<ObjectiveMetric, MetricKind>> = Object.freeze({
  min: 'latency',
  mean: 'latency',
  p50: 'latency',
  p90: 'latency',
  p95: 'latency',
  p99: 'latency',
  'p99.9': 'latency',
  max: 'latency',
  errors: 'share',
  timeouts: 'share',
  achievedRate: 'share',
  checks: 'share',
  rate: 'rate',
});

const units: Readonly<Record<MetricKind, Readonly<Record<string, number>>>> = {
  latency: { us: 0.001, µs: 0.001, ms: 1, s: 1_000 },
  share: { '%': 0.01, '': 1 },
  rate: { '/s': 1, '': 1 },
};

/**
 * Reads `<metric> <operator> <value><unit>`. Metrics: `min`, `mean`, `p50`, `p90`, `p95`, `p99`, `p99.9`, `max` in us, ms or s; `errors`
 * (requests without a 2xx answer), `timeouts`, `achievedRate` (open loop), `checks` in %; `rate` (successful answers) in /s. Operators: `<`,
 * `<=`, `>`, `>=`.
 *
 * @throws {@link ScenarioError}
 */
export function parseObjective(expression: string): Objective {
  const parsed = parse(expression);
  if (typeof parsed !== 'string') return parsed;
  throw new ScenarioError([{ path: 'objectives', message: parsed }]);
}

/** Why an expression is not an objective, or `undefined` when it is one. */
export function explainObjective(expression: string): string | undefined {
  const parsed = parse(expression);
  return typeof parsed === 'string' ? parsed : undefined;
}

/** @returns the objective, or what is wrong with the expression */
function parse(expression: string): Objective | string {
  const match = /^\s*([a-zA-Z0-9.]+)\s*(<=|>=|<|>)\s*(\d+(?:\.\d+)?)\s*(\S*)\s*$/.exec(expression);
  if (match === null)
    return `\`${expression}\` is not an objective; write it as \`p99 < 250ms\` or \`errors < 0.1%\``;
  const [, metric = '', operator = '<', value = '', unit = ''] = match;
  if (!isMetric(metric))
    return `\`${expression}\`: unknown metric \`${metric}\`; use one of ${Object.keys(metricKinds).join(', ')}`;
  const known = units[metricKinds[metric]];
  const factor = known[unit];
  if (factor === undefined)
    return `\`${expression}\`: expected a unit of ${Object.keys(known).filter(Boolean).join(', ')}`;
  const bound = Number(value) * factor;
  const fixed = metricKinds[metric] === 'share' ? alwaysOrNever(operator, bound) : undefined;
  if (fixed !== undefined)
    return `\`${expression}\` is ${fixed} met, since a share lies between 0 and 100 %; write it as \`errors < 0.1%\` or \`checks > 99%\``;
  return { expression: expression.trim(), metric, operator: operator as Objective['operator'], bound };
}

/** Whether a bound on a share decides nothing, as `errors < 5` where `errors < 5%` was meant. */
function alwaysOrNever(operator: string, bound: number): 'always' | 'never' | undefined {
  if (operator === '<') return bound > 1 ? 'always' : bound === 0 ? 'never' : undefined;
  if (operator === '<=') return bound >= 1 ? 'always' : undefined;
  if (operator === '>') return bound >= 1 ? 'never' : undefined;
  return bound > 1 ? 'never' : bound === 0 ? 'always' : undefined;
}

function isMetric(name: string): name is ObjectiveMetric {
  return Object.hasOwn(metricKinds, name);
}
