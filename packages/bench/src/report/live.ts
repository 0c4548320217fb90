import { formatCount, formatLatency } from '../result/format.ts';
import type { BenchmarkProgress } from '../result/result.ts';

/** The part of a TTY or plain stream that progress needs. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Shows progress until `end`. */
interface LiveProgress {
  update(progress: BenchmarkProgress): void;
  /** Clears the live line. */
  end(): void;
}

const bars = '▁▂▃▄▅▆▇█';
const plainEveryMs = 5_000;

/**
 * On a terminal, one line that repaints itself: a bar, the rate with a sparkline, percentiles. Elsewhere, a plain line every five
 * seconds, so that a CI log stays short.
 */
export function liveProgress(stream: ProgressStream): LiveProgress {
  return stream.isTTY === true ? repaintingLine(stream) : plainLines(stream);
}

function repaintingLine(stream: ProgressStream): LiveProgress {
  const rates: number[] = [];
  let painted = false;
  return {
    update(progress) {
      rates.push(progress.requestsPerSecond);
      if (rates.length > 20) rates.shift();
      const done = progress.totalMs === 0 ? 1 : progress.elapsedMs / progress.totalMs;
      const bar = '━'.repeat(Math.round(done * 20)).padEnd(20, '╌');
      const line = `${bar} ${describe(progress)}  ${sparkline(rates)}`;
      stream.write(`\r\u001b[2K${line.slice(0, (stream.columns ?? 80) - 1)}`);
      painted = true;
    },
    end() {
      if (painted) stream.write('\r\u001b[2K');
    },
  };
}

function plainLines(stream: ProgressStream): LiveProgress {
  let nextMs = 0;
  return {
    update(progress) {
      const last = progress.elapsedMs >= progress.totalMs;
      if (progress.elapsedMs < nextMs && (!last || nextMs === Number.POSITIVE_INFINITY)) return;
      nextMs = last
        ? Number.POSITIVE_INFINITY
        : progress.elapsedMs - (progress.elapsedMs % plainEveryMs) + plainEveryMs;
      stream.write(`${describe(progress)}\n`);
    },
    end() {},
  };
}

function describe(progress: BenchmarkProgress): string {
  const seconds = `${(progress.elapsedMs / 1_000).toFixed(0)}/${(progress.totalMs / 1_000).toFixed(0)} s`;
  const errors = progress.errors > 0 ? `  ${formatCount(progress.errors)} without answer` : '';
  return (
    `${progress.phase === 'warmup' ? 'warm-up' : 'running'} ${seconds}  ${formatCount(progress.requestsPerSecond)} req/s  ` +
    `p50 ${formatLatency(progress.p50Ms)}  p99 ${formatLatency(progress.p99Ms)}${errors}`
  );
}

/** Values as a row of bars scaled to the largest. */
export function sparkline(values: readonly number[]): string {
  const highest = Math.max(...values, 1);
  return values
    .map((value) => bars[Math.min(bars.length - 1, Math.floor((value / highest) * bars.length))])
    .join('');
}
