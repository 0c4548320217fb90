import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ensureServers, launchChromium, type ChromiumPage as Page } from '@weir/test-kit';
import { startSystem } from './system.ts';

// Takes the pictures of docs/images: the page in light and dark, wide and narrow, after the traffic ran for a while.
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

async function runBenchmark(serviceUrl: string): Promise<void> {
  const [first] = await get<{ name: string }[]>(`${serviceUrl}/benchmarks`);
  if (first === undefined) return;
  const runs = `${serviceUrl}/benchmarks/${first.name}/runs`;
  await fetch(runs, { method: 'POST' });
  while ((await get<{ status: string }[]>(runs))[0]?.status === 'running') await delay(500);
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
  await delay(Math.max(0, until - Date.now()));
  mkdirSync(images, { recursive: true });
  const browser = await launchChromium();
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [1280, 390]) {
      const page = await browser.newPage({
        colorScheme,
        viewport: { width, height: 900 },
        deviceScaleFactor: 1,
      });
      await page.goto(system.serviceUrl);
      await page.waitForSelector('canvas, svg', { timeout: 15_000 });
      await scrollThrough(page);
      await page.screenshot({ path: resolve(images, `page-${colorScheme}-${width}.png`), fullPage: true });
      await page.close();
    }
  }
  await browser.close();
} finally {
  await system.stop();
}
