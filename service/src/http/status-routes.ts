import { formatDuration } from '@weir/promql';
import type { FastifyInstance } from 'fastify';
import type { Config, ScrapeConfig } from '../config/config.ts';
import type { TargetPool } from '../scrape/target-pool.ts';
import { prometheusVersion } from '../version.ts';
import { sendValue } from './answers.ts';

/** `/api/v1/status/*` below the API's prefix, except `tsdb`: what the service is and runs with. */
export function addStatusRoutes(
  app: FastifyInstance,
  config: () => Config,
  startedMs: number,
  version: string,
): void {
  app.get('/status/buildinfo', async (_request, reply) =>
    sendValue(reply, {
      version: prometheusVersion,
      revision: `weir-${version}`,
      branch: 'weir',
      buildUser: '',
      buildDate: '',
      goVersion: '',
    }),
  );
  app.get('/status/runtimeinfo', async (_request, reply) => {
    const { store } = config();
    return sendValue(reply, {
      startTime: new Date(startedMs).toISOString(),
      CWD: process.cwd(),
      reloadConfigSuccess: true,
      lastConfigTime: new Date(startedMs).toISOString(),
      corruptionCount: 0,
      goroutineCount: 0,
      GOMAXPROCS: 0,
      GOMEMLIMIT: 0,
      GOGC: '',
      GODEBUG: '',
      storageRetention: formatDuration(store.retentionMs),
    });
  });
  app.get('/status/flags', async (_request, reply) => {
    const { listen, store } = config();
    return sendValue(reply, {
      'web.listen-address': `${listen.host}:${listen.port}`,
      'storage.tsdb.retention.time': formatDuration(store.retentionMs),
      'storage.tsdb.retention.size': store.retentionBytes === undefined ? '0B' : `${store.retentionBytes}B`,
      'query.lookback-delta': '5m',
      'query.timeout': '30s',
    });
  });
  app.get('/status/config', async (_request, reply) => sendValue(reply, { yaml: describeConfig(config()) }));
}

// JSON is YAML too. Only what is no secret: the file itself may hold tokens and credentials in URLs.
function describeConfig({ scrape, store, targets }: Config): string {
  const shown = {
    global: {
      scrape_interval: formatDuration(scrape.intervalMs),
      scrape_timeout: formatDuration(scrape.timeoutMs),
    },
    scrape_configs: targets.map(({ job, url, labels }) => ({
      job_name: job,
      scheme: url.protocol.slice(0, -1),
      metrics_path: url.pathname,
      static_configs: [{ targets: [url.host], labels }],
    })),
    storage: { retention: formatDuration(store.retentionMs) },
  };
  return JSON.stringify(shown, null, 2);
}

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
