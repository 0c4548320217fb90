import { queryRange, targets } from '../api/prometheus.ts';
import { loadSettings } from '../api/settings.ts';
import { parseDuration } from '../time/duration.ts';
import { useAsync } from '../ui/use-async.ts';

/** What the page must know of the store to ask it well. */
export interface StoreFacts {
  /** The longest scrape interval of the targets. */
  readonly scrapeIntervalMs: number;
  /** Time of the first sample, if the store is younger than the wanted range. */
  readonly oldestMs: number | undefined;
  /** Where traces are shown, with `{traceId}`; as configured under `page.traceUrl`. */
  readonly traceUrl: string | undefined;
}

/**
 * Asked once, and again every few refreshes: a fresh store grows under the reader's eyes.
 *
 * @param wantedMs length of the range that the dashboard would show
 */
export function useStoreFacts(wantedMs: number, ticks: number): StoreFacts {
  const interval = useAsync(scrapeInterval, []);
  const oldest = useAsync((signal) => oldestSample(wantedMs, signal), [wantedMs, Math.floor(ticks / 3)]);
  const settings = useAsync(loadSettings, []);
  return {
    scrapeIntervalMs: interval.data ?? 15_000,
    oldestMs: oldest.data,
    traceUrl: settings.data?.traceUrl ?? undefined,
  };
}

async function scrapeInterval(signal: AbortSignal): Promise<number> {
  const all = await targets(signal);
  const intervals = all.flatMap(({ scrapeInterval }) => parseDuration(scrapeInterval ?? '') ?? []);
  return intervals.length === 0 ? 15_000 : Math.max(...intervals);
}

async function oldestSample(wantedMs: number, signal: AbortSignal): Promise<number | undefined> {
  const stepMs = Math.max(1000, Math.round(wantedMs / 60));
  const toMs = Date.now();
  const fromMs = toMs - 60 * stepMs;
  const [count] = await queryRange('count(up)', { fromMs, toMs }, stepMs, signal);
  const first = count?.values[0]?.[0];
  if (first === undefined || first * 1000 <= fromMs) return undefined;
  return first * 1000 - stepMs;
}
