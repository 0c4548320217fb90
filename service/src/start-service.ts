import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FastifyInstance } from 'fastify';
import { type Logger, pino } from 'pino';
import { AuditLog } from './auth/audit-log.ts';
import { BenchmarkRunner } from './benchmarks/benchmark-runner.ts';
import { RunStore } from './benchmarks/run-store.ts';
import type { Config } from './config/config.ts';
import { messageOf, ServiceError } from './errors.ts';
import { AlertNotifier } from './exchange/alert-notifier.ts';
import { SelfMetrics } from './exchange/own-metrics.ts';
import { PushedJobs } from './exchange/pushed-jobs.ts';
import { RemoteWriter } from './exchange/remote-writer.ts';
import { RuleScheduler } from './exchange/rule-scheduler.ts';
import { ServiceParts } from './exchange/service-parts.ts';
import { TargetPool } from './exchange/target-pool.ts';
import { TargetRegistry } from './exchange/target-registry.ts';
import { type ConnectionLimits, createApp } from './http/create-app.ts';
import { GuardedClient } from './network/guarded-client.ts';
import { EngineClient } from './threads/engine-client.ts';
import { version } from './version.ts';

export interface StartServiceOptions {
  readonly config: Config;
  /** Lines of JSON; silent when absent. */
  readonly logger?: Logger;
  /**
   * How long clients may take.
   * @defaultValue {@link connectionLimits}
   */
  readonly limits?: Partial<ConnectionLimits>;
}

export interface Service {
  /** Where it listens, such as `http://127.0.0.1:4040`. */
  readonly url: string;
  /** Takes another configuration over without a pause; `listen` and `store` need a restart. */
  reload(config: Config): Promise<void>;
  /** Stops scraping and load, answers what is under way, closes the store. */
  close(): Promise<void>;
  /** Settles when the store's thread has ended. */
  readonly engineExited: Promise<void>;
}

const queryLimits = { timeoutMs: 30_000, maxSamples: 50_000_000, maxSeries: 100_000 } as const;

/**
 * Starts everything: listens first, so that `/healthz` answers while the store opens.
 * @throws ServiceError `ERR_WEIR_SERVICE_LISTEN`, `ERR_WEIR_SERVICE_STORE_OPEN`
 */
export async function startService(options: StartServiceOptions): Promise<Service> {
  const { config: first, logger = pino({ level: 'silent' }) } = options;
  let config = first;
  let isStarted = false;
  const now = Date.now;
  const report = (what: string) => (reason: string) => logger.error({ reason }, what);
  const { path, retentionMs, retentionBytes, backlogBytes, maxSeries } = config.store;
  const runs = new RunStore(join(path, 'benchmarks.db'), now);
  if (runs.setAside !== undefined)
    logger.error({ file: runs.setAside }, 'damaged benchmark history set aside');
  if (runs.lostCommits !== undefined)
    logger.error(
      { file: runs.lostCommits },
      'damaged write-ahead file: the newest benchmark runs may be lost',
    );
  const engine = new EngineClient({
    store: {
      path: join(path, 'metrics.db'),
      retentionMs,
      ...(retentionBytes === undefined ? {} : { retentionBytes }),
      backlogBytes,
      maxSeries,
    },
    query: queryLimits,
  });
  const client = new GuardedClient();
  const targets = new TargetPool({ engine, client, now, onError: report('scrape not stored') });
  const audit = new AuditLog({ path: join(path, 'audit.log'), now, onError: report('audit log') });
  const runner = new BenchmarkRunner({
    store: runs,
    now,
    createId: randomUUID,
    onError: report('benchmark'),
    onScheduled: (benchmark, outcome) =>
      audit.write({
        caller: 'schedule',
        address: 'local',
        action: 'benchmark.start',
        subject: benchmark,
        outcome: 'refused' in outcome ? outcome.refused : 'started',
      }),
  });
  const pushed = new PushedJobs({
    engine,
    now,
    settings: () => ({ scrape: config.scrape, expiryMs: config.push.expiryMs }),
    onError: report('push not stored'),
  });
  let parts: ServiceParts | undefined;
  const registry = new TargetRegistry({
    path: join(path, 'registrations.json'),
    now,
    onChange: () => parts?.updateTargets(),
    onError: report('registration'),
  });
  const metrics = new SelfMetrics({ engine, runs, runner, registered: () => registry.size });
  const app = await createApp({
    engine,
    client,
    targets,
    runner,
    runs,
    metrics,
    pushed,
    registry,
    audit,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    logger: logger.child({}, { level: 'warn' }),
    now,
    version,
    config: () => config,
    isStarted: () => isStarted,
    startedMs: now(),
    webRoot: fileURLToPath(new URL('../web/dist', import.meta.url)),
  });
  const close = async (): Promise<void> => {
    pushed.stop();
    registry.stop();
    await Promise.all([parts?.stop(), targets.stop(), runner.close()]);
    await app.close();
    await engine.close();
    runs.close();
    await metrics.metrics.close();
    client.close();
  };
  try {
    await listen(app, config);
    const { setAside, lostCommits, damagedBatches } = await engine.ready();
    if (setAside !== undefined)
      logger.error({ file: setAside }, 'damaged metric store set aside; started a new one');
    if (lostCommits !== undefined)
      logger.error({ file: lostCommits }, 'damaged write-ahead file: the newest samples may be lost');
    if (damagedBatches > 0)
      logger.error({ batches: damagedBatches }, 'damaged journal: batches of samples are left out');
    const url = urlOf(app);
    const post = async (to: URL, body: string, signal: AbortSignal): Promise<void> =>
      client.post(to, { body, signal, timeoutMs: 10_000, headers: { 'content-type': 'application/json' } });
    const externalUrl = (): string => config.rules.externalUrl ?? url;
    const notifier = new AlertNotifier({
      path: join(path, 'notified-alerts.json'),
      now,
      post,
      onError: report('alerts'),
      onNotified: (outcome, count) => metrics.observeNotification(outcome, count),
      externalUrl,
    });
    metrics.watchNotifier(notifier);
    const rules = new RuleScheduler({ engine, now, notifier, onError: report('rules'), externalUrl });
    const writer = new RemoteWriter({
      engine,
      client,
      onError: report('remote write'),
      onSamples: (outcome, count) => metrics.observeRemoteWrite(outcome, count),
    });
    const started = new ServiceParts({
      url,
      targets,
      runner,
      rules,
      writer,
      metrics,
      registry,
      client,
      onError: report('discovery'),
    });
    parts = started;
    await started.update(config);
    isStarted = true;
    const reload = async (next: Config): Promise<void> => {
      // What cannot change while running stays as it is.
      config = Object.freeze({
        ...next,
        listen: { ...next.listen, host: config.listen.host, port: config.listen.port },
        store: config.store,
      });
      await started.update(config);
    };
    return { url, reload, close, engineExited: engine.exited };
  } catch (thrown) {
    await close();
    throw thrown;
  }
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
