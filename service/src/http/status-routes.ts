import { formatDuration } from '@weir/promql';
import type { FastifyInstance } from 'fastify';
import type { Config } from '../config/config.ts';
import { prometheusVersion } from '../version.ts';
import { sendValue } from './envelope.ts';

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
