import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FastifyInstance } from 'fastify';
import { type Logger, pino } from 'pino';
import { BenchmarkRunner } from './benchmarks/benchmark-runner.ts';
import { RunStore } from './benchmarks/run-store.ts';
import type { Config, TargetConfig } from './config/config.ts';
import { EngineClient } from './engine/engine-client.ts';
import { messageOf, ServiceError } from './errors.ts';
import { createApp } from './http/create-app.ts';
import { TargetPool } from './scrape/target-pool.ts';
import { SelfMetrics } from './self-metrics.ts';
import { version } from './version.ts';

export interface StartServiceOptions {
  readonly config: Config;
  /** Lines of JSON; silent when absent. */
  readonly logger?: Logger;
}

export interface Service {
  /** Where it listens, such as `http://127.0.0.1:4040`. */
  readonly url: string;
  /** Stops scraping and load, answers what is under way, closes the store. */
  close(): Promise<void>;
  /** Settles when the store's thread has ended. */
  readonly engineExited: Promise<void>;
}

/**
 * Starts everything: listens first, so that `/healthz` answers while the store opens.
 * @throws ServiceError `ERR_WEIR_SERVICE_LISTEN`, `ERR_WEIR_SERVICE_STORE_OPEN`
 */
export async function startService({
  config,
  logger = pino({ level: 'silent' }),
}: StartServiceOptions): Promise<Service> {
  const now = Date.now;
  const runs = new RunStore(join(config.store.path, 'benchmarks.db'), now);
  if (runs.setAside !== undefined)
    logger.error({ file: runs.setAside }, 'damaged benchmark history set aside');
  const engine = new EngineClient({
    store: {
      path: join(config.store.path, 'metrics.db'),
      retentionMs: config.store.retentionMs,
      ...(config.store.retentionBytes === undefined ? {} : { retentionBytes: config.store.retentionBytes }),
      maxSeries: config.store.maxSeries,
    },
    query: { timeoutMs: 30_000, maxSamples: 50_000_000, maxSeries: 100_000 },
  });
  const targets = new TargetPool({
    engine,
    now,
    onError: (message) => logger.error({ reason: message }, 'scrape not stored'),
  });
  const runner = new BenchmarkRunner({
    store: runs,
    benchmarks: config.benchmarks,
    allowTargets: [],
    now,
    createId: randomUUID,
  });
  const metrics = new SelfMetrics({ engine, runs, benchmarks: () => runner.benchmarks });
  const app = await createApp({
    engine,
    targets,
    runner,
    runs,
    metrics,
    logger: logger.child({}, { level: 'warn' }),
    now,
    version,
    scrapeIntervalMs: config.scrape.intervalMs,
    scrapeTimeoutMs: config.scrape.timeoutMs,
    webRoot: fileURLToPath(new URL('../web/dist', import.meta.url)),
  });
  const close = async (): Promise<void> => {
    await Promise.all([targets.stop(), runner.close()]);
    await app.close();
    await engine.close();
    runs.close();
  };
  try {
    await listen(app, config);
    const { setAside } = await engine.ready();
    if (setAside !== undefined)
      logger.error({ file: setAside }, 'damaged metric store set aside; started a new one');
  } catch (thrown) {
    await close();
    throw thrown;
  }
  const url = urlOf(app);
  targets.update(config.scrape, config.targets, {
    target: ownTarget(url),
    read: async () => ({ body: new TextEncoder().encode(await metrics.render()), contentType: 'text/plain' }),
  });
  return { url, close, engineExited: engine.exited };
}

async function listen(app: FastifyInstance, { listen: { host, port } }: Config): Promise<void> {
  try {
    await app.listen({ host, port });
  } catch (thrown) {
    const code = (thrown as NodeJS.ErrnoException).code;
    const reason =
      code === 'EADDRINUSE'
        ? 'the port is in use. Stop what uses it, or set PORT or `listen.port`.'
        : `${messageOf(thrown)}. Check \`listen.host\` and \`listen.port\`.`;
    throw new ServiceError('ERR_WEIR_SERVICE_LISTEN', `Cannot listen on ${host}:${port}: ${reason}`, thrown);
  }
}

function urlOf(app: FastifyInstance): string {
  const { address, family, port } = app.server.address() as AddressInfo;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

// Read in-process: its benchmark results belong into the store whatever the configuration names.
function ownTarget(url: string): TargetConfig {
  return { job: 'weir', url: new URL('/metrics', url), labels: {} };
}
