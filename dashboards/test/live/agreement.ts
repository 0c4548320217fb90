import { ruleGroups } from '../../src/rules/index.ts';
import { inlineRecordings } from '../../src/rules/inline-recordings.ts';
import { panelsOf, readDashboards } from '../dashboard-json.ts';
import type { LiveSystem } from './live-system.ts';
import { births, differences, type Matrix, rangeQuery } from './matrix.ts';

/** One query with Grafana's variables filled in. */
export interface Asked {
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
const ownMeasure = /\b(scrape_duration_seconds|scrape_samples_scraped|ALERTS)\b/;

/** Every query of every panel and every mark of the dashboards of a set of dashboards. */
export function panelQueries(): readonly Asked[] {
  return readDashboards().flatMap((dashboard) => [
    ...panelsOf(dashboard).flatMap(({ title, targets = [], fieldConfig }) => {
      const isSigned = /^(Change against|Budget left)/.test(title);
      const isShare = fieldConfig?.defaults.unit === 'percentunit' && !title.startsWith('Objectives against');
      return targets.map(({ expr, refId }) =>
        asked(`${dashboard.title} · ${title} ${refId}`, expand(expr), {
          isSigned,
          isShare: isShare && !isSigned,
        }),
      );
    }),
    ...dashboard.annotations.list.map(({ name, expr }) =>
      asked(`${dashboard.title} · mark ${name}`, expand(expr), { mayBeEmpty: true }),
    ),
  ]);
}

/** Every recording and every alert, with windows short enough to be filled. */
export function ruleQueries(settings: LiveSystem['settings'], longestSeconds: number): readonly Asked[] {
  const groups = ruleGroups(settings);
  const recordings = groups
    .flatMap(({ rules }) => rules)
    .flatMap((rule) =>
      'record' in rule ? [asked(rule.record, cap(rule.expr, longestSeconds), { isShare: true })] : [],
    );
  const alerts = [...inlineRecordings(groups, '1s')].map(([name, expr]) =>
    asked(name, cap(expr, longestSeconds), { mayBeEmpty: true }),
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
  where: string,
  expr: string,
  { mayBeEmpty = false, isShare = false, isSigned = false }: Partial<Asked>,
): Asked {
  const longest = (before: string): number =>
    Math.max(
      0,
      ...[...expr.matchAll(new RegExp(`${before}(\\d+)(ms|s)`, 'g'))].map(
        ([, amount, unit]) => Number(amount) / (unit === 's' ? 1 : 1000),
      ),
    );
  // The window of a subquery begins where the one inside it needs its own before.
  const windowSeconds = longest('\\[') * (/\[\w+:/.test(expr) ? 2 : 1) + longest('offset ');
  return { where, expr, windowSeconds, mayBeEmpty, isShare, isSigned };
}

/** No window or offset above `seconds`. */
function cap(expr: string, seconds: number): string {
  return expr.replace(/(?<=\[|offset )(\d+)(ms|s)/g, (text, amount: string, unit: string) =>
    Number(amount) / (unit === 's' ? 1 : 1000) > seconds ? `${seconds}s` : text,
  );
}

/** Asks both engines; says what is empty, absurd or unequal, and whether the query had an answer. */
export async function compare(
  system: LiveSystem,
  query: Asked,
  range: { readonly start: number; readonly end: number },
): Promise<{ readonly faults: readonly string[]; readonly points: number }> {
  const { where, expr, windowSeconds, mayBeEmpty } = query;
  const faults: string[] = [];
  const start = range.start + Math.ceil(windowSeconds) + 1;
  const asking = { start, end: range.end, step: 1 };
  if (start >= range.end) return { faults: [`${where}: windows longer than the recording`], points: 0 };
  const theirs = await rangeQuery(system.prometheusUrl, expr, asking);
  const ours = replayed(await rangeQuery(system.serviceUrl, expr, asking));
  if (!mayBeEmpty && theirs.size === 0) faults.push(`${where}: empty on Prometheus`);
  if (!mayBeEmpty && ours.size === 0) faults.push(`${where}: empty on the embedded engine`);
  for (const [engine, matrix] of [
    ['Prometheus', theirs],
    ['the embedded engine', ours],
  ] as const) {
    const absurd = absurdity(query, matrix);
    if (absurd !== undefined) faults.push(`${where}: ${absurd} on ${engine}`);
  }
  if (!ownMeasure.test(expr)) {
    const newborn = await births(system.prometheusUrl, expr, range);
    const differing = differences(ours, theirs, (seconds) =>
      // Prometheus 3, which the engine follows, extrapolates a counter that begins inside the window otherwise.
      newborn.some((birth) => seconds >= birth && seconds <= birth + windowSeconds + 1),
    );
    if (differing.length > 0) faults.push(`${where}: ${differing.length} points differ, ${differing[0]}`);
  }
  const points = [...theirs.values()].reduce((sum, values) => sum + values.size, 0);
  return { faults, points };
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
