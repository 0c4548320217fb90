import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ServerProcess, startServerProcess } from '@weir/test-kit';
import { sendTraffic } from '../../../examples/shop/src/traffic.ts';

const root = join(import.meta.dirname, '../../..');

/** The shop under its own traffic and the service that scrapes it, each a process of its own. */
export interface LiveSystem {
  readonly serviceUrl: string;
  stop(): Promise<void>;
}

/** Starts both; scrapes four times a second, so that charts fill within seconds. */
export async function startLiveSystem(): Promise<LiveSystem> {
  const directory = mkdtempSync(join(tmpdir(), 'weir-page-'));
  const parts: ServerProcess[] = [];
  const traffic = new AbortController();
  const stop = async (): Promise<void> => {
    traffic.abort();
    await Promise.all(parts.map((part) => part.stop()));
    rmSync(directory, { recursive: true, force: true });
  };
  const start = async (script: string, args: string[], ready: RegExp): Promise<string> => {
    let text = '';
    const part = await startServerProcess({
      name: script,
      command: process.execPath,
      args: ['--conditions=@weir/source', join(root, script), ...args],
      cwd: root,
      env: {
        PATH: process.env.PATH,
        PORT: '0',
        WEIR_STATE: directory,
        DATABASE_URL: process.env.DATABASE_URL ?? '',
      },
      readyTimeoutMs: 90_000,
      isReady: async () => ready.test(text),
      onOutput: (chunk) => {
        text += chunk;
      },
    });
    parts.push(part);
    return ready.exec(text)?.[1] ?? '';
  };
  try {
    const shopUrl = await start('examples/shop/src/main.ts', [], /shop listens on (\S+)/);
    void sendTraffic({ target: shopUrl, requestsPerSecond: 60, signal: traffic.signal });
    const scenario = join(directory, 'product-page.json');
    writeFileSync(
      scenario,
      JSON.stringify({
        name: 'product-page',
        target: shopUrl,
        requests: [{ path: '/products/1' }],
        connections: 2,
        durationMs: 1500,
        warmupMs: 500,
      }),
    );
    const config = join(directory, 'weir.config.json');
    writeFileSync(
      config,
      JSON.stringify({
        store: { path: join(directory, 'data') },
        scrape: { interval: '250ms', timeout: '250ms' },
        targets: [
          { job: 'shop', url: `${shopUrl}/metrics` },
          { job: 'gone', url: 'http://127.0.0.1:9/metrics' },
        ],
        benchmarks: [{ name: 'product-page', file: scenario }],
        rules: { files: [join(root, 'dashboards/generated/weir.rules.yml')] },
      }),
    );
    const serviceUrl = await start('service/src/main.ts', ['--config', config], /ready on (\S+)/);
    return { serviceUrl, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
