import { formatDuration } from '../promql/duration.ts';
import type { TargetPool } from '../scrape/target-pool.ts';

const never = '0001-01-01T00:00:00Z';

/** The answer of `/api/v1/targets`, field by field as Prometheus names them. */
export function describeTargets(options: {
  readonly targets: TargetPool;
  readonly scrapeIntervalMs: number;
  readonly scrapeTimeoutMs: number;
}): object {
  const scrapeInterval = formatDuration(options.scrapeIntervalMs);
  const scrapeTimeout = formatDuration(options.scrapeTimeoutMs);
  const activeTargets = options.targets.states.map((state) => {
    const url = new URL(state.url);
    return {
      discoveredLabels: {
        __address__: url.host,
        __metrics_path__: url.pathname,
        __scheme__: url.protocol.slice(0, -1),
        __scrape_interval__: scrapeInterval,
        __scrape_timeout__: scrapeTimeout,
        ...state.labels,
      },
      labels: state.labels,
      scrapePool: state.job,
      scrapeUrl: withoutSecrets(url),
      globalUrl: withoutSecrets(url),
      lastError: state.lastError,
      lastScrape: state.lastScrapeMs === undefined ? never : new Date(state.lastScrapeMs).toISOString(),
      lastScrapeDuration: state.lastDurationMs / 1000,
      health: state.health,
      scrapeInterval,
      scrapeTimeout,
    };
  });
  return { activeTargets, droppedTargets: [], droppedTargetCounts: {} };
}

function withoutSecrets(url: URL): string {
  const shown = new URL(url);
  shown.username = '';
  shown.password = '';
  return shown.href;
}
