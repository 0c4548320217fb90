import type { Objective } from './slo.ts';

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
