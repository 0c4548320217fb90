import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { DashboardsError, shown } from './errors.ts';

/** A share of a job's HTTP requests that shall be good. */
export interface Objective {
  /** The label `slo` of what the rules record. */
  readonly name: string;
  /** Share of good requests, between 0 and 1. */
  readonly target: number;
  /** Upper bound of a good request, in seconds: a bucket of the histogram. Without it a request is good unless answered 5xx. */
  readonly withinSeconds: number | undefined;
  /** Label → regular expression: which requests count. */
  readonly matchers: Readonly<Record<string, string>>;
}

/** What the services promise: the source of burn-rate alerts and of the budget that the dashboards show. */
export interface Slo {
  readonly objectives: readonly Objective[];
}

/** Bounds of the packages' `http_server_request_duration_seconds`; a file names its own as `buckets`. */
const defaultBuckets = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10] as const;

const secondsOf = { ms: 0.001, s: 1, m: 60 } as const;

/**
 * The objectives of a parsed SLO file.
 *
 * @throws {DashboardsError} `ERR_WEIR_DASHBOARDS_INVALID_SLO`, naming the place of the first mistake.
 */
export function parseSlo(value: unknown): Slo {
  const file = fields(value, 'the SLO file', ['objectives', 'buckets']);
  const { objectives, buckets = defaultBuckets } = file;
  if (!Array.isArray(buckets) || !buckets.every((bound) => typeof bound === 'number')) {
    throw wrong('buckets', `expected a list of seconds, got ${shown(buckets)}`);
  }
  if (!Array.isArray(objectives) || objectives.length === 0)
    throw wrong('objectives', 'expected at least one objective');
  const parsed = objectives.map((objective, index) =>
    parseObjective(objective, `objectives[${index}]`, buckets),
  );
  const names = parsed.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw wrong('objectives', `the name ${shown(twice)} is used twice`);
  return Object.freeze({ objectives: Object.freeze(parsed) });
}

function parseObjective(value: unknown, place: string, buckets: readonly number[]): Objective {
  const {
    name,
    target,
    latency,
    matchers = {},
  } = fields(value, place, ['name', 'target', 'latency', 'matchers']);
  if (typeof name !== 'string' || !/^[a-z][a-z0-9-]{0,40}$/.test(name)) {
    throw wrong(
      `${place}.name`,
      `expected lower-case letters, digits and hyphens such as \`checkout-latency\`, got ${shown(name)}`,
    );
  }
  if (typeof target !== 'number' || !(target > 0 && target < 1)) {
    throw wrong(
      `${place}.target`,
      `expected a share between 0 and 1 such as \`0.999\`, got ${shown(target)}`,
    );
  }
  const withinSeconds = latency === undefined ? undefined : parseLatency(latency, `${place}.latency`);
  if (withinSeconds !== undefined && !buckets.includes(withinSeconds)) {
    throw wrong(
      `${place}.latency`,
      `expected a bound of the histogram (${buckets.join(', ')} s), got ${shown(latency)}; name other bounds as \`buckets\``,
    );
  }
  for (const [label, pattern] of Object.entries(fields(matchers, `${place}.matchers`))) {
    if (!/^[a-zA-Z_]\w*$/.test(label) || typeof pattern !== 'string') {
      throw wrong(
        `${place}.matchers`,
        `expected label: regular expression, got ${shown({ [label]: pattern })}`,
      );
    }
  }
  return Object.freeze({ name, target, withinSeconds, matchers: matchers as Record<string, string> });
}

function parseLatency(value: unknown, place: string): number {
  const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(value) : null;
  if (match === null) throw wrong(place, `expected a duration such as \`250ms\`, got ${shown(value)}`);
  return Number((Number(match[1]) * secondsOf[match[2] as keyof typeof secondsOf]).toPrecision(12));
}

function fields(value: unknown, place: string, known?: readonly string[]): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrong(place, `expected a mapping, got ${shown(value)}`);
  const unknown = Object.keys(value).find((key) => known !== undefined && !known.includes(key));
  if (unknown !== undefined)
    throw wrong(place, `unknown field ${shown(unknown)}; there is ${known?.join(', ')}`);
  return value as Record<string, unknown>;
}

function wrong(place: string, problem: string): DashboardsError {
  return new DashboardsError('ERR_WEIR_DASHBOARDS_INVALID_SLO', place, problem);
}

const requests = 'http_server_request_duration_seconds';

/** Selectors of the requests that an objective counts. */
export interface Events {
  /** Counter of all its requests. */
  readonly all: string;
  /** Counter of the bad ones for availability, of the good ones for latency. */
  readonly part: string;
  readonly partIs: 'bad' | 'good';
}

/** What an objective counts, without a range; `scope` are further matchers, such as the reader's `$job`. */
export function eventsOf(
  { withinSeconds, matchers }: Pick<Objective, 'withinSeconds' | 'matchers'>,
  scope: readonly string[] = [],
): Events {
  const own = [
    ...scope,
    ...Object.entries(matchers).map(([label, pattern]) => `${label}=~${JSON.stringify(pattern)}`),
  ];
  const select = (metric: string, ...more: readonly string[]): string => {
    const all = [...own, ...more].join(', ');
    return all === '' ? metric : `${metric}{${all}}`;
  };
  const all = select(`${requests}_count`);
  if (withinSeconds === undefined) {
    return { all, part: select(`${requests}_count`, 'http_response_status_code=~"5.."'), partIs: 'bad' };
  }
  return { all, part: select(`${requests}_bucket`, bound(withinSeconds)), partIs: 'good' };
}

/** Prometheus 3 writes whole bounds as `1.0`, Prometheus 2 as they are exposed, `1`. */
function bound(seconds: number): string {
  return Number.isInteger(seconds) ? `le=~"${seconds}([.]0)?"` : `le="${seconds}"`;
}

/**
 * Share of bad requests by job or over all, 0 where none was bad, absent where there was none.
 *
 * @param function_ `rate` or `increase`
 * @param range such as `5m` or `$__rate_interval`
 * @param aggregate such as `sum by (job)`
 */
export function badRatio(events: Events, function_: string, range: string, aggregate: string): string {
  const all = `${aggregate} (${function_}(${events.all}[${range}]))`;
  const part = `${aggregate} (${function_}(${events.part}[${range}]))`;
  // Without a failure there is no 5xx series: the ratio is 0, not absent.
  if (events.partIs === 'bad') return `(${part} or 0 * ${all}) / (${all} > 0)`;
  return `1 - ${part} / (${all} > 0)`;
}

/** The objectives of this package's own `slo.yml`, which also shows the file's form. */
export function defaultSlo(): Slo {
  return parseSlo(parse(readFileSync(new URL('../slo.yml', import.meta.url), 'utf8')));
}
