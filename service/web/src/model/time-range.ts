/** A range as it stands in the URL and in a dashboard: `now-15m` … `now`, or Unix milliseconds as digits. */
export interface RawRange {
  readonly from: string;
  readonly to: string;
}

/** A range in Unix milliseconds. */
export interface TimeRange {
  readonly fromMs: number;
  readonly toMs: number;
}

/** A moment of a {@link RawRange}; `undefined` if the text is none. */
export function parseMoment(text: string, nowMs: number): number | undefined {
  if (/^\d+$/.test(text)) return Number(text);
  if (text === 'now') return nowMs;
  const ago = /^now-(.+)$/.exec(text);
  const duration = ago?.[1] === undefined ? undefined : parseDuration(ago[1]);
  return duration === undefined ? undefined : nowMs - duration;
}

/** `raw` at `nowMs`; an unreadable or empty range becomes the last 15 minutes. */
export function resolveRange(raw: RawRange, nowMs: number): TimeRange {
  const fromMs = parseMoment(raw.from, nowMs);
  const toMs = parseMoment(raw.to, nowMs);
  if (fromMs === undefined || toMs === undefined || fromMs >= toMs) {
    return { fromMs: nowMs - 900_000, toMs: nowMs };
  }
  return { fromMs, toMs };
}

/** The ranges offered, shortest first. */
export const quickRanges: readonly { readonly from: string; readonly label: string }[] = [
  { from: 'now-2m', label: 'Last 2 minutes' },
  { from: 'now-5m', label: 'Last 5 minutes' },
  { from: 'now-15m', label: 'Last 15 minutes' },
  { from: 'now-30m', label: 'Last 30 minutes' },
  { from: 'now-1h', label: 'Last hour' },
  { from: 'now-3h', label: 'Last 3 hours' },
  { from: 'now-6h', label: 'Last 6 hours' },
  { from: 'now-12h', label: 'Last 12 hours' },
  { from: 'now-24h', label: 'Last 24 hours' },
  { from: 'now-2d', label: 'Last 2 days' },
  { from: 'now-7d', label: 'Last 7 days' },
];

/** The range in words. */
export function describeRange(raw: RawRange): string {
  const quick = raw.to === 'now' ? quickRanges.find(({ from }) => from === raw.from) : undefined;
  if (quick !== undefined) return quick.label;
  const ago = raw.to === 'now' ? /^now-(\w+)$/.exec(raw.from) : null;
  if (ago !== null) return `Last ${ago[1]}`;
  return `${moment(raw.from)} – ${moment(raw.to)}`;
}

function moment(text: string): string {
  return /^\d+$/.test(text) ? formatMoment(Number(text)) : text;
}

/** `22 Nov 17:05:30` in the reader's time zone. */
export function formatMoment(ms: number): string {
  const date = new Date(ms);
  const day = date.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' });
  return `${day} ${date.toLocaleTimeString('en-GB')}`;
}

/**
 * The shortest quick range that shows all there is, if nothing older than `oldestMs` is stored and the wanted range
 * would be mostly empty; else the wanted one. A service started a minute ago so shows a minute, not an empty quarter.
 */
export function fitRange(wanted: RawRange, oldestMs: number | undefined, nowMs: number): RawRange {
  const { fromMs } = resolveRange(wanted, nowMs);
  if (oldestMs === undefined || wanted.to !== 'now' || oldestMs <= fromMs) return wanted;
  const fits = quickRanges.find(({ from }) => (parseMoment(from, nowMs) ?? 0) <= oldestMs);
  if (fits === undefined || (parseMoment(fits.from, nowMs) ?? 0) <= fromMs) return wanted;
  return { from: fits.from, to: 'now' };
}

const units: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  y: 31_536_000_000,
};

/** Milliseconds of a Prometheus duration such as `5s` or `1h30m`; `undefined` if it is none. */
export function parseDuration(text: string): number | undefined {
  const parts = [...text.matchAll(/(\d+)(ms|[smhdwy])/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text) return undefined;
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * (units[unit ?? ''] ?? 0), 0);
}

/** The duration as Prometheus writes it in whole units, largest first: 90 000 → `1m30s`. Below 1 ms it is `1ms`. */
export function formatDuration(ms: number): string {
  let rest = Math.max(1, Math.round(ms));
  let text = '';
  for (const unit of ['d', 'h', 'm', 's', 'ms']) {
    const size = units[unit] ?? 1;
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return text;
}

/** How long ago in words: `4 s ago`, `12 min ago`, `3 h ago`, `2 days ago`. */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.round(seconds / 3600)} h ago`;
  const days = Math.round(seconds / 86_400);
  return days === 1 ? '1 day ago' : `${days} days ago`;
}

/** Steps a chart may take, in milliseconds: those that divide minutes, hours and days evenly. */
const steps = [
  1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400,
].map((seconds) => seconds * 1000);

/**
 * The step between a chart's points: the range over its pixels, rounded up to a familiar one, never below the
 * scrape interval, since there is nothing between two scrapes.
 */
export function stepFor(range: TimeRange, maxPoints: number, scrapeIntervalMs: number): number {
  const ideal = Math.max((range.toMs - range.fromMs) / Math.max(1, maxPoints), scrapeIntervalMs);
  const day = 86_400_000;
  return steps.find((step) => step >= ideal) ?? Math.ceil(ideal / day) * day;
}

/** Grafana's `$__rate_interval`: at least four scrapes, so that a lost one leaves no hole. */
export function rateIntervalFor(stepMs: number, scrapeIntervalMs: number): number {
  return Math.max(stepMs + scrapeIntervalMs, 4 * scrapeIntervalMs);
}

/** `range` widened to whole steps, so that points stay where they are from one refresh to the next. */
export function alignRange(range: TimeRange, stepMs: number): TimeRange {
  return {
    fromMs: Math.floor(range.fromMs / stepMs) * stepMs,
    toMs: Math.floor(range.toMs / stepMs) * stepMs,
  };
}
