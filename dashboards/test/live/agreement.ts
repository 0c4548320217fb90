import { ruleGroups } from '../../src/rules/index.ts';
import { inlineRecordings } from '../../src/rules/rule.ts';
import { panelsOf, readDashboards } from '../dashboard-json.ts';
import type { LiveSystem } from './live-system.ts';
import { differences, durationSeconds, type Matrix, rangeQuery, youngCounters } from './matrix.ts';

/** One query with Grafana's variables filled in. */
export interface Asked {
  /** The dashboard, or `rules`. */
  readonly of: string;
  readonly where: string;
  readonly expr: string;
  /** Seconds from which on no window, offset included, is cut off by the beginning of the recording. */
  readonly windowSeconds: number;
  /** Whether it may be empty: conditions of alerts that were not provoked. */
  readonly mayBeEmpty: boolean;
  /** No value may be above 1. */
  readonly isShare: boolean;
  /** Values may be below 0. */
  readonly isSigned: boolean;
}

const rateInterval = '4s';
const wholeRange = '8s';
/** What each scraper measures of its own scraping, or each engine writes itself, is not the same by nature. */
const ownMeasure = /\b(scrape_duration_seconds|scrape_samples_scraped|scrape_series_added|ALERTS)\b/;

/** Every query of every panel and every mark of the dashboards of a set of dashboards. */
export function panelQueries(): readonly Asked[] {
  return readDashboards().flatMap((dashboard) => [
    ...panelsOf(dashboard).flatMap(({ title, targets = [], fieldConfig }) => {
      const isSigned = /^(Change against|Budget left)/.test(title);
      const isShare = fieldConfig?.defaults.unit === 'percentunit' && !title.startsWith('Objectives against');
      return targets.map(({ expr, refId }) =>
        asked(dashboard.title, `${title} ${refId}`, expand(expr), {
          isSigned,
          isShare: isShare && !isSigned,
        }),
      );
    }),
    ...dashboard.annotations.list.map(({ name, expr }) =>
      asked(dashboard.title, `mark ${name}`, expand(expr), { mayBeEmpty: true }),
    ),
  ]);
}

/** Every recording and every alert, with windows short enough to be filled. */
export function ruleQueries(settings: LiveSystem['settings'], longestSeconds: number): readonly Asked[] {
  const groups = ruleGroups(settings);
  const recordings = groups
    .flatMap(({ rules }) => rules)
    .flatMap((rule) =>
      'record' in rule
        ? [asked('rules', rule.record, cap(rule.expr, longestSeconds), { isShare: true })]
        : [],
    );
  const alerts = [...inlineRecordings(groups, '1s')].map(([name, expr]) =>
    asked('rules', name, cap(expr, longestSeconds), { mayBeEmpty: true }),
  );
  return [...recordings, ...alerts];
}

/** As Grafana expands it for the two replayed jobs. */
function expand(expr: string): string {
  return expr
    .replaceAll('$job', '(shop|service)')
    .replaceAll('$instance', '.+')
    .replaceAll('$__rate_interval', rateInterval)
    .replaceAll('$__range', wholeRange)
    .replaceAll('[1h]', `[${wholeRange}]`);
}

function asked(
  of: string,
  where: string,
  expr: string,
  { mayBeEmpty = false, isShare = false, isSigned = false }: Partial<Asked>,
): Asked {
  const longest = (before: string): number =>
    Math.max(
      0,
      ...[...expr.matchAll(new RegExp(`${before}(\\d+m?s)`, 'g'))].map(([, text = '']) =>
        durationSeconds(text),
      ),
    );
  // The window of a subquery begins where the one inside it needs its own before.
  const windowSeconds = longest('\\[') * (/\[\w+:/.test(expr) ? 2 : 1) + longest('offset ');
  return { of, where, expr, windowSeconds, mayBeEmpty, isShare, isSigned };
}

/** No window or offset above `seconds`. */
function cap(expr: string, seconds: number): string {
  return expr.replace(/(?<=\[|offset )\d+m?s/g, (text) =>
    durationSeconds(text) > seconds ? `${seconds}s` : text,
  );
}

/** What both engines made of a query. */
export interface Agreement {
  /** What is empty, absurd or unequal. */
  readonly faults: readonly string[];
  readonly isEmpty: boolean;
  /** Points that both gave and that are equal, and points that were not compared. */
  readonly points: number;
  readonly skipped: number;
}

/** Asks both engines over a range, each second. */
export async function compare(
  system: LiveSystem,
  query: Asked,
  range: { readonly start: number; readonly end: number },
): Promise<Agreement> {
  const { of, expr, windowSeconds, mayBeEmpty } = query;
  const where = `${of} · ${query.where}`;
  const faults: string[] = [];
  const start = range.start + Math.ceil(windowSeconds) + 1;
  const asking = { start, end: range.end, step: 1 };
  if (start >= range.end)
    return { faults: [`${where}: windows longer than the recording`], isEmpty: true, points: 0, skipped: 0 };
  const theirs = await rangeQuery(system.prometheusUrl, expr, asking);
  const ours = replayed(await rangeQuery(system.serviceUrl, expr, asking));
  for (const [engine, matrix] of [
    ['Prometheus', theirs],
    ['the embedded engine', ours],
  ] as const) {
    if (!mayBeEmpty && matrix.size === 0) faults.push(`${where}: empty on ${engine}`);
    const absurd = absurdity(query, matrix);
    if (absurd !== undefined) faults.push(`${where}: ${absurd} on ${engine}`);
  }
  const isEmpty = theirs.size === 0;
  if (ownMeasure.test(expr)) return { faults, isEmpty, points: 0, skipped: 0 };
  const mayDiffer = await youngCounters(system.prometheusUrl, expr, range, windowSeconds);
  const { differing, points, skipped } = differences(ours, theirs, mayDiffer);
  if (differing.length > 0) faults.push(`${where}: ${differing.length} points differ, ${differing[0]}`);
  return { faults, isEmpty, points, skipped };
}

/** Without the service's scrape of itself, which the other engine does not have. */
function replayed(matrix: Matrix): Matrix {
  return new Map([...matrix].filter(([labels]) => !labels.includes('["job","weir"]')));
}

/** A value that its quantity cannot have. */
function absurdity({ isShare, isSigned }: Asked, matrix: Matrix): string | undefined {
  for (const values of matrix.values()) {
    for (const value of values.values()) {
      if (value < 0 && !isSigned) return `${value}, below zero,`;
      if (isShare && value > 1 + 1e-9) return `${value}, a share above one,`;
    }
  }
  return undefined;
}
