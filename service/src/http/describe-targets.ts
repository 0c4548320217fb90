import { formatDuration } from '@weir/promql';
import type { ScrapeConfig } from '../config/config.ts';
import type { TargetPool } from '../scrape/target-pool.ts';

const never = '0001-01-01T00:00:00Z';

/** The answer of `/api/v1/targets`, field by field as Prometheus names them. */
export function describeTargets(
  targets: TargetPool,
  scrape: ScrapeConfig,
  filter: { readonly state: string; readonly scrapePool: string | undefined },
): object {
  const scrapeInterval = formatDuration(scrape.intervalMs);
  const scrapeTimeout = formatDuration(scrape.timeoutMs);
  const { state: wanted, scrapePool } = filter;
  if (wanted === 'dropped') return { activeTargets: [], droppedTargets: [] };
  const kept = targets.states.filter(({ job }) => scrapePool === undefined || job === scrapePool);
  const activeTargets = kept.map((state) => {
    const url = new URL(state.url);
    const { instance: _, ...discovered } = state.labels;
    return {
      discoveredLabels: {
        __address__: url.host,
        __metrics_path__: url.pathname,
        __scheme__: url.protocol.slice(0, -1),
        __scrape_interval__: scrapeInterval,
        __scrape_timeout__: scrapeTimeout,
        ...discovered,
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
  return wanted === 'active'
    ? { activeTargets, droppedTargets: [], droppedTargetCounts: null }
    : { activeTargets, droppedTargets: [], droppedTargetCounts: {} };
}

function withoutSecrets(url: URL): string {
  const shown = new URL(url);
  shown.username = '';
  shown.password = '';
  return shown.href;
}

/** The scraped targets as Prometheus' `http_sd` reads them, so that another server can take them over. */
export function describeDiscovery(states: TargetPool['states']): object[] {
  return states.map(({ job, url, labels }) => {
    const { host, protocol, pathname } = new URL(url);
    const { instance: _, ...own } = labels;
    return {
      targets: [host],
      labels: { ...own, job, __scheme__: protocol.slice(0, -1), __metrics_path__: pathname },
    };
  });
}
