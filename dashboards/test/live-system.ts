import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type ServerProcess, startPrometheus, startRedis, startServerProcess } from '@weir/test-kit';
import { sendTraffic } from '../../examples/shop/src/traffic.ts';
import { Replay } from './replay.ts';

const root = join(import.meta.dirname, '../..');
const scrapeInterval = '500ms';

/** A shop under load, and two engines that hold the same samples of it. */
export interface LiveSystem {
  readonly prometheusUrl: string;
  readonly serviceUrl: string;
  /** Takes `count` expositions of shop and service into both engines. Resolves with the first and last moment. */
  record(count: number): Promise<{ readonly firstMs: number; readonly lastMs: number }>;
  stop(): Promise<void>;
}

/** Starts Redis, the shop (with its PostgreSQL), load on all its routes, the service and a Prometheus. */
export async function startLiveSystem(): Promise<LiveSystem> {
  const directory = mkdtempSync(join(tmpdir(), 'weir-live-'));
  const load = new AbortController();
  const ends: (() => Promise<unknown>)[] = [];
  const stop = async (): Promise<void> => {
    load.abort();
    for (const end of ends.reverse()) await end();
    rmSync(directory, { recursive: true, force: true });
  };
  const start = async (script: string, args: string[], env: object, ready: RegExp): Promise<string> => {
    let text = '';
    const part: ServerProcess = await startServerProcess({
      name: script,
      command: process.execPath,
      args: ['--conditions=@weir/source', join(root, script), ...args],
      cwd: root,
      env: { PATH: process.env.PATH, PORT: '0', ...env },
      readyTimeoutMs: 90_000,
      isReady: async () => ready.test(text),
      onOutput: (chunk) => {
        text += chunk;
      },
    });
    ends.push(() => part.stop());
    return ready.exec(text)?.[1] ?? '';
  };
  try {
    const redis = await startRedis();
    ends.push(() => redis.stop());
    const shopUrl = await start(
      'examples/shop/src/main.ts',
      [],
      { WEIR_STATE: directory, REDIS_URL: redis.url, DATABASE_URL: process.env.DATABASE_URL ?? '' },
      /shop listens on (\S+)/,
    );
    void sendTraffic({ target: shopUrl, requestsPerSecond: 50, signal: load.signal });
    for (const path of ['/flaws/n-plus-one', '/flaws/unindexed?category=lamps', '/search?q=oak']) {
      void repeat(`${shopUrl}${path}`, load.signal);
    }
    const shop = new Replay();
    const own = new Replay();
    const targets = [
      { job: 'shop', address: await shop.listen() },
      // The service also scrapes itself, as `weir`; queries ask for the replay of it, which both engines have.
      { job: 'service', address: await own.listen() },
    ];
    ends.push(
      () => shop.close(),
      () => own.close(),
    );
    const scenario = join(directory, 'products.json');
    writeFileSync(scenario, JSON.stringify(shortBenchmark(shopUrl)));
    const config = join(directory, 'weir.config.json');
    writeFileSync(
      config,
      JSON.stringify({
        store: { path: join(directory, 'data') },
        scrape: { interval: scrapeInterval, timeout: scrapeInterval },
        targets: targets.map(({ job, address }) => ({ job, url: `http://${address}/metrics` })),
        benchmarks: [{ name: 'products', file: scenario }],
      }),
    );
    const serviceUrl = await start('service/src/main.ts', ['--config', config], {}, /ready on (\S+)/);
    await runBenchmark(serviceUrl);
    await fetch(`${serviceUrl}/api/v1/query?query=up`);
    const prometheus = await startPrometheus({ targets, scrapeInterval });
    ends.push(() => prometheus.stop());
    const advance = async (): Promise<number> => {
      const [moment] = await Promise.all([
        shop.advance(`${shopUrl}/metrics`),
        own.advance(`${serviceUrl}/metrics`),
      ]);
      return moment;
    };
    return {
      prometheusUrl: prometheus.url,
      serviceUrl,
      async record(count) {
        // Prometheus begins to scrape seconds after its start: the first exposition waits for it, and the load has
        // meanwhile met every route, so that no series begins while recording.
        await advance();
        const firstMs = await advance();
        let lastMs = firstMs;
        for (let taken = 1; taken < count; taken++) lastMs = await advance();
        return { firstMs, lastMs };
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function shortBenchmark(target: string): object {
  const requests = [{ path: '/products/1' }];
  return { name: 'products', target, requests, connections: 2, durationMs: 1000, warmupMs: 200 };
}

/** Runs the one benchmark to its end, so that its metrics are there. */
async function runBenchmark(serviceUrl: string): Promise<void> {
  const runs = `${serviceUrl}/benchmarks/products/runs`;
  const { id } = (await (await fetch(runs, { method: 'POST' })).json()) as { id: string };
  for (;;) {
    const run = (await (await fetch(`${runs}/${id}`)).json()) as { status: string; error: string | null };
    if (run.status === 'finished') return;
    if (run.status !== 'running') throw new Error(`The benchmark ${run.status}: ${run.error}`);
    await delay(100);
  }
}

/** Five requests a second until the signal; the shop's flaws and its limit are meant to be hit. */
async function repeat(url: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const response = await fetch(url, { signal }).catch(() => undefined);
    await response?.arrayBuffer().catch(() => {});
    await delay(200, undefined, { signal }).catch(() => {});
  }
}
