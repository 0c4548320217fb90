import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  freePort,
  type RedisServer,
  startPostgres,
  startPrometheus,
  startRedis,
  startServerProcess,
} from '@weir/test-kit';
import { resolveSettings, type Settings } from '../../src/customise.ts';
import { renderRules } from '../../src/render/rule-file.ts';
import { parseSlo } from '../../src/slo.ts';
import { background } from './background.ts';
import { Replay } from './replay.ts';

const root = join(import.meta.dirname, '../../..');
const register = join(root, 'packages/metrics/src/register.ts');

export interface LiveOptions {
  /** Of both engines, such as `500ms`. */
  readonly scrapeInterval: string;
  /** Shortens the rules' windows and delays. */
  readonly timeScale: number;
  /** Objectives of the rules. Default: loose ones for product pages, for a machine that does other work. */
  readonly slo?: Settings['slo'];
}

/** The shop's side: stores, the shop under load, and a second shop for benchmarks. */
export interface LiveShop {
  readonly shopUrl: string;
  /** What the caches and what the limits of the shop ask. */
  readonly redis: { readonly cache: RedisServer; readonly limits: RedisServer };
  readonly candidateUrl: string;
  /** Puts another build in the place of the shop that benchmarks run against. */
  deploy(build: 'slower' | 'usual'): Promise<void>;
}

/** The service, collecting and judging. */
export interface LiveService {
  readonly serviceUrl: string;
  readonly settings: Settings;
  /** The rules that it evaluates. */
  readonly rules: string;
  /** Runs the benchmark against the second shop, to its end. */
  runBenchmark(): Promise<void>;
  /** Runs it until its verdict is not “worse”. */
  calmBenchmark(): Promise<void>;
}

/** A shop under load, and two engines that hold the same samples of it and evaluate the same rules. */
export interface LiveSystem extends LiveShop, LiveService {
  readonly prometheusUrl: string;
  /** Moments, in milliseconds, of the first and last exposition that both engines have. Recording goes on until `stop`. */
  recorded(): { readonly firstMs: number; readonly lastMs: number };
  /** Lets every scrape of the shop fail, or succeed again. Not while what both engines hold shall be the same. */
  failScrapes(failing: boolean): void;
  stop(): Promise<void>;
}

/** Starts servers in a directory of its own; whatever was started ends with `stop`, the last first. */
export class Rig {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'weir-live-'));
  readonly load: AbortController = new AbortController();
  readonly #ends: (() => Promise<unknown>)[] = [];

  endsWith(...ends: (() => Promise<unknown>)[]): void {
    this.#ends.push(...ends);
  }

  async stop(): Promise<void> {
    this.load.abort();
    for (const end of this.#ends.splice(0).reverse()) await end();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** @param traced latencies carry exemplars; nobody keeps the spans */
  async startShop({ traced = false }: { readonly traced?: boolean } = {}): Promise<LiveShop> {
    const [cache, limits, postgres] = await Promise.all([startRedis(), startRedis(), startPostgres()]);
    this.endsWith(
      () => postgres.stop(),
      () => cache.stop(),
      () => limits.stop(),
    );
    const stores = {
      WEIR_STATE: this.directory,
      DATABASE_URL: postgres.url,
      ...(traced && {
        NODE_OPTIONS: `--import ${register}`,
        OTEL_EXPORTER_OTLP_ENDPOINT: await this.#spanSink(),
      }),
    };
    const shop = (env: object): Promise<{ url: string; end: () => Promise<void> }> =>
      this.#script('examples/shop/src/main.ts', [], { ...stores, ...env }, /shop listens on (\S+)/);
    const { url: shopUrl } = await shop({ REDIS_URL: cache.url, RATE_LIMIT_REDIS_URL: limits.url });
    const PORT = String(await freePort());
    let candidate = await shop({ PORT });
    void background(shopUrl, this.load.signal);
    return {
      shopUrl,
      redis: { cache, limits },
      candidateUrl: candidate.url,
      async deploy(build) {
        await candidate.end();
        candidate = await shop({ PORT, ...(build === 'slower' && { SHOP_FLAW: 'uncached' }) });
      },
    };
  }

  /** @param targets job → `host:port` or origin; the service also scrapes itself, as `weir`. */
  async startService(
    targets: Readonly<Record<string, string>>,
    candidateUrl: string,
    { scrapeInterval, timeScale, slo = looseSlo() }: LiveOptions,
  ): Promise<LiveService> {
    const settings = resolveSettings({ slo, timeScale });
    const rules = join(this.directory, 'weir.rules.yml');
    writeFileSync(rules, renderRules(settings));
    const scenario = join(this.directory, 'products.json');
    writeFileSync(scenario, JSON.stringify(shortBenchmark(candidateUrl)));
    const config = join(this.directory, 'weir.config.json');
    writeFileSync(
      config,
      JSON.stringify({
        store: { path: join(this.directory, 'data') },
        scrape: { interval: scrapeInterval, timeout: scrapeInterval },
        targets: Object.entries(targets).map(([job, origin]) => ({ job, url: `${origin}/metrics` })),
        benchmarks: [{ name: 'products', file: scenario }],
        rules: { files: [rules] },
        registration: { allow: ['127.0.0.2'] },
      }),
    );
    const { url } = await this.#script('service/src/main.ts', ['--config', config], {}, /ready on (\S+)/);
    // The first verdict takes five runs before it; on a busy machine one of them may be an outlier.
    for (let run = 0; run < 5; run++) await runBenchmark(url);
    await calmBenchmark(url);
    await announceInVain(url);
    return {
      serviceUrl: url,
      settings,
      rules,
      runBenchmark: () => runBenchmark(url),
      calmBenchmark: () => calmBenchmark(url),
    };
  }

  /** Takes spans and forgets them. */
  async #spanSink(): Promise<string> {
    const sink = createServer((request, response) => request.resume().on('end', () => response.end()));
    sink.listen(0, '127.0.0.1');
    await once(sink, 'listening');
    this.endsWith(async () => sink.close().closeAllConnections());
    return `http://127.0.0.1:${(sink.address() as AddressInfo).port}`;
  }

  async #script(
    script: string,
    args: readonly string[],
    env: object,
    ready: RegExp,
  ): Promise<{ url: string; end: () => Promise<void> }> {
    let text = '';
    const part = await startServerProcess({
      name: script,
      command: process.execPath,
      args: ['--conditions=@weir/source', join(root, script), ...args],
      cwd: root,
      env: { PATH: process.env.PATH, LOG_LEVEL: 'error', PORT: '0', ...env },
      readyTimeoutMs: 90_000,
      isReady: async () => ready.test(text),
      onOutput: (chunk) => {
        text += chunk;
      },
    });
    const end = (): Promise<void> => part.stop();
    this.endsWith(end);
    return { url: ready.exec(text)?.[1] ?? '', end };
  }
}

/**
 * Starts the shop's side, the service and a Prometheus, and records until `stop`.
 *
 * @param warmUp runs before the first exposition is recorded, so that no series begins later
 */
export async function startLiveSystem(
  options: LiveOptions,
  warmUp: (shop: LiveShop) => Promise<void>,
): Promise<LiveSystem> {
  const rig = new Rig();
  try {
    const shop = await rig.startShop();
    await warmUp(shop);
    const replays = { shop: new Replay(), own: new Replay() };
    const addresses = { shop: await replays.shop.listen(), service: await replays.own.listen() };
    rig.endsWith(
      () => replays.shop.close(),
      () => replays.own.close(),
    );
    // The replay of the service stands beside its scrape of itself; queries ask for the replay, which both engines have.
    const origins = { shop: `http://${addresses.shop}`, service: `http://${addresses.service}` };
    const service = await rig.startService(origins, shop.candidateUrl, options);
    const prometheus = await startPrometheus({
      targets: Object.entries(addresses).map(([job, address]) => ({ job, address })),
      scrapeInterval: options.scrapeInterval,
      rules: [service.rules],
    });
    rig.endsWith(() => prometheus.stop());
    const advance = async (): Promise<number> => {
      const [moment] = await Promise.all([
        replays.shop.advance(`${shop.shopUrl}/metrics`),
        replays.own.advance(`${service.serviceUrl}/metrics`),
      ]);
      return moment;
    };
    // Prometheus begins to scrape seconds after its start: the first exposition waits for it.
    await advance();
    const firstMs = await advance();
    let lastMs = firstMs;
    const recording = (async () => {
      while (!rig.load.signal.aborted) lastMs = await advance();
    })();
    // It ends with its targets.
    recording.catch(() => {});
    return {
      ...shop,
      ...service,
      prometheusUrl: prometheus.url,
      recorded: () => ({ firstMs, lastMs }),
      failScrapes: (failing) => replays.shop.fail(failing),
      stop: () => rig.stop(),
    };
  } catch (error) {
    await rig.stop();
    throw error;
  }
}

/** Product pages alone, since the flaws are meant to be bad. */
function looseSlo(): Settings['slo'] {
  const matchers = { http_route: '/products.*' };
  return parseSlo({
    objectives: [
      { name: 'availability', target: 0.99, matchers },
      { name: 'latency', target: 0.9, latency: '1s', matchers },
    ],
  });
}

function shortBenchmark(target: string): object {
  return {
    name: 'products',
    target,
    requests: [{ path: '/products/1' }, { path: '/products/2' }],
    objectives: ['p99 < 5s', 'errors < 50%'],
    connections: 2,
    durationMs: 800,
    warmupMs: 200,
  };
}

async function isWorse(serviceUrl: string): Promise<boolean> {
  const metrics = await (await fetch(`${serviceUrl}/metrics`)).text();
  return /^weir_bench_verdict\{[^}]*verdict="worse"[^}]*\} 1$/m.test(metrics);
}

async function calmBenchmark(serviceUrl: string): Promise<void> {
  let runs = 0;
  do await runBenchmark(serviceUrl);
  while (++runs < 15 && (await isWorse(serviceUrl)));
}

/** A target that the service does not allow: refusals are counted. */
async function announceInVain(serviceUrl: string): Promise<void> {
  const response = await fetch(`${serviceUrl}/targets`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ job: 'stranger', url: 'http://127.0.0.1:1/metrics' }),
  });
  if (response.ok) throw new Error('The service took a target that nobody allowed.');
}

async function runBenchmark(serviceUrl: string): Promise<void> {
  const runs = `${serviceUrl}/benchmarks/products/runs`;
  const { id } = (await (await fetch(runs, { method: 'POST' })).json()) as { id: string };
  for (;;) {
    const run = (await (await fetch(`${runs}/${id}`)).json()) as { status: string; error: string | null };
    if (run.status === 'finished') return;
    if (run.status !== 'running' && run.status !== 'queued')
      throw new Error(`The benchmark ${run.status}: ${run.error}`);
    await delay(100);
  }
}
