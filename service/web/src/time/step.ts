import type { TimeRange } from './range.ts';

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
