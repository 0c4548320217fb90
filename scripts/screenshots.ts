import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ensureServers, launchChromium, type ChromiumPage as Page } from '@weir/test-kit';
import { startSystem } from './system.ts';

// Takes the pictures of docs/images: every page but the single dashboards (`dashboards/scripts/pictures.ts` takes
// those) in light and dark, the overview also narrow and at 4K, after the traffic ran for a while.
// Arguments: [seconds of traffic, default 75]. Run after `pnpm build`; the ports of `pnpm start` must be free.

const root = resolve(import.meta.dirname, '..');
const images = resolve(root, 'docs/images');
const state = resolve(root, '.weir/screenshots');
const trafficSeconds = Number(process.argv[2] ?? 75);

/** The configuration of `pnpm start` with an empty store of its own. */
function writeConfig(): string {
  const config = JSON.parse(readFileSync(resolve(root, 'weir.config.json'), 'utf8')) as {
    store: object;
    benchmarks: { file: string }[];
    rules: { files: string[] };
  };
  const path = resolve(state, 'weir.config.json');
  const benchmarks = config.benchmarks.map((entry) => ({ ...entry, file: resolve(root, entry.file) }));
  const rules = { files: config.rules.files.map((file) => resolve(root, file)) };
  rmSync(resolve(state, 'data'), { recursive: true, force: true });
  mkdirSync(state, { recursive: true });
  writeFileSync(
    path,
    JSON.stringify({ ...config, store: { path: resolve(state, 'data') }, benchmarks, rules }),
  );
  return path;
}

async function get<T>(url: string): Promise<T> {
  return (await (await fetch(url)).json()) as T;
}

/** Panels ask for their data when they come into view. */
async function scrollThrough(page: Page): Promise<void> {
  const height = await page.evaluate('document.documentElement.scrollHeight');
  for (let top = 0; top < Number(height); top += 600) {
    await page.mouse.wheel(0, 600);
    await delay(300);
  }
  await page.evaluate('window.scrollTo(0, 0)');
  // The page keeps asking, so "network idle" never comes.
  await delay(1500);
}

/** Runs the first benchmark and waits for its end. */
async function runBenchmark(serviceUrl: string): Promise<{ name: string; id: string }> {
  const [first] = await get<{ name: string }[]>(`${serviceUrl}/benchmarks`);
  if (first === undefined) throw new Error('No benchmark is configured.');
  const { name } = first;
  const runs = `${serviceUrl}/benchmarks/${name}/runs`;
  const response = await fetch(runs, { method: 'POST' });
  const { id } = (await response.json()) as { id: string };
  while ((await get<{ status: string }>(`${runs}/${id}`)).status !== 'finished') await delay(500);
  return { name, id };
}

interface Picture {
  readonly name: string;
  readonly path: string;
  readonly width: number;
  /** Only the window, not the whole page. */
  readonly window?: { readonly height: number };
}

function pictures(run: { name: string; id: string }): Picture[] {
  const benchmark = `/ui/benchmarks/${run.name}`;
  return [
    { name: 'page', path: '/', width: 1280 },
    { name: 'page', path: '/', width: 390 },
    { name: 'page', path: '/', width: 3840, window: { height: 2160 } },
    {
      name: 'explore',
      path: '/ui/explore?expr=sum+by+(http_route)+(rate(http_server_request_duration_seconds_count[1m]))',
      width: 1280,
    },
    { name: 'alerts', path: '/ui/alerts', width: 1280 },
    { name: 'targets', path: '/ui/targets', width: 1280 },
    { name: 'benchmarks', path: '/ui/benchmarks', width: 1280 },
    { name: 'compare', path: `${benchmark}/compare`, width: 1280 },
    { name: 'run', path: `${benchmark}/runs/${run.id}`, width: 1280 },
    { name: 'connect', path: '/ui/connect', width: 1280 },
  ];
}

await ensureServers(['chromium'], { log: console.log });
const system = await startSystem({
  configPath: writeConfig(),
  stateDirectory: state,
  env: process.env,
});
try {
  const until = Date.now() + trafficSeconds * 1000;
  await delay(Math.max(0, (trafficSeconds * 1000) / 3));
  await runBenchmark(system.serviceUrl);
  const run = await runBenchmark(system.serviceUrl);
  await delay(Math.max(0, until - Date.now()));
  mkdirSync(images, { recursive: true });
  const browser = await launchChromium();
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const { name, path, width, window } of pictures(run)) {
      const page = await browser.newPage({
        colorScheme,
        viewport: { width, height: window?.height ?? 900 },
        deviceScaleFactor: 1,
      });
      await page.goto(system.serviceUrl + path);
      await page.waitForSelector('h1', { state: 'attached', timeout: 15_000 });
      await scrollThrough(page);
      const file = resolve(images, `${name}-${colorScheme}-${width}.png`);
      await page.screenshot({ path: file, fullPage: window === undefined });
      await page.close();
    }
  }
  await browser.close();
} finally {
  await system.stop();
}
