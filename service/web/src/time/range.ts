import { parseDuration } from './duration.ts';

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
