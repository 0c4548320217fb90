import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { ensureServers, launchChromium, type ChromiumPage as Page } from '@weir/test-kit';
import { startSystem } from './system.ts';

// Takes the pictures of docs/images: every page but the single dashboards (`dashboards/scripts/pictures.ts` takes
// those) in light and dark, the overview also narrow, after the traffic ran for a while, seven runs of a benchmark, and one
// that profiles the shop against itself without its cache.
// Arguments: [seconds of traffic, default 75] [directory, default docs/images]. Run after `pnpm build`; the ports of
// `pnpm start` must be free.

const root = resolve(import.meta.dirname, '..');
const images = resolve(process.argv[3] ?? resolve(root, 'docs/images'));
const state = resolve(root, '.weir/screenshots');
const trafficSeconds = Number(process.argv[2] ?? 75);
const runs = 7;

/** A build of the shop for a profile: the configuration's relative `base` and `head` are directories. */
function writeBuild(name: string, settings: Record<string, string>): void {
  const directory = resolve(state, name);
  mkdirSync(directory, { recursive: true });
  const environment = { ...settings, LOG_LEVEL: 'error', WEIR_STATE: resolve(directory, 'state') };
  const shop = pathToFileURL(resolve(root, 'examples/shop/dist/main.js')).href;
  writeFileSync(
    resolve(directory, 'main.mjs'),
    `Object.assign(process.env, ${JSON.stringify(environment)});\nawait import(${JSON.stringify(shop)});\n`,
  );
}

/** The configuration of `pnpm start` with an empty store of its own, a shorter benchmark and its profile. */
function writeConfig(): string {
  const config = JSON.parse(readFileSync(resolve(root, 'weir.config.json'), 'utf8')) as {
    benchmarks: { name: string; file: string }[];
    rules: { files: string[] };
  };
  rmSync(state, { recursive: true, force: true });
  mkdirSync(state, { recursive: true });
  writeBuild('base', {});
  writeBuild('head', { SHOP_FLAW: 'uncached' });
  const benchmarks = config.benchmarks.map(({ name, file }) => {
    const scenario = JSON.parse(readFileSync(resolve(root, file), 'utf8')) as object;
    const short = {
      ...scenario,
      durationMs: 5_000,
      warmupMs: 1_000,
    };
    writeFileSync(resolve(state, `${name}.json`), JSON.stringify(short));
    return {
      name,
      file: `${name}.json`,
      profile: { start: 'exec node main.mjs', base: 'base', head: 'head', rounds: 2 },
    };
  });
  const rules = { files: config.rules.files.map((file) => resolve(root, file)) };
  const path = resolve(state, 'weir.config.json');
  writeFileSync(path, JSON.stringify({ ...config, store: { path: 'data' }, benchmarks, rules }));
  return path;
}

async function get<T>(url: string): Promise<T> {
  return (await (await fetch(url)).json()) as T;
}

/** Panels ask for their data when they come into view; each is waited for. */
async function scrollThrough(page: Page): Promise<void> {
  const height = await page.evaluate('document.documentElement.scrollHeight');
  for (let top = 0; top < Number(height); top += 600) {
    await page.mouse.wheel(0, 600);
    await delay(300);
    for (let waited = 0; waited < 100 && (await page.evaluate(waitingInView)); waited++) await delay(100);
  }
  await page.evaluate('window.scrollTo(0, 0)');
  // The page keeps asking, so "network idle" never comes.
  await delay(1500);
}

const waitingInView = `[...document.querySelectorAll('.panel-waiting')].some((panel) => {
  const { top, bottom } = panel.getBoundingClientRect();
  return bottom > 0 && top < innerHeight;
})`;

interface Run {
  readonly id: string;
  readonly status: string;
  readonly error: string | null;
}

/** Runs a benchmark and waits for its end. */
async function runBenchmark(serviceUrl: string, name: string, body: object = {}): Promise<Run> {
  const url = `${serviceUrl}/benchmarks/${name}/runs`;
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  const { id } = (await response.json()) as Run;
  for (;;) {
    const run = await get<Run>(`${url}/${id}`);
    if (run.status === 'finished' && run.error === null) return run;
    if (run.status !== 'running' && run.status !== 'queued' && run.status !== 'finished')
      throw new Error(`${name}: ${run.status}, ${run.error}`);
    if (run.error !== null) throw new Error(`${name}: ${run.error}`);
    await delay(500);
  }
}

interface Picture {
  readonly name: string;
  readonly path: string;
  readonly width: number;
}

function pictures(name: string, run: Run, profiled: Run): Picture[] {
  const benchmark = `/ui/benchmarks/${name}`;
  return [
    { name: 'page', path: '/', width: 1280 },
    { name: 'page', path: '/', width: 390 },
    {
      name: 'page-explore',
      path: '/ui/explore?expr=sum+by+(http_route)+(rate(http_server_request_duration_seconds_count[1m]))',
      width: 1280,
    },
    { name: 'page-alerts', path: '/ui/alerts', width: 1280 },
    { name: 'page-targets', path: '/ui/targets', width: 1280 },
    { name: 'page-benchmarks', path: '/ui/benchmarks', width: 1280 },
    { name: 'page-run', path: `${benchmark}/runs/${profiled.id}`, width: 1280 },
    {
      name: 'page-compare',
      path: `${benchmark}/compare?base=${run.id}&head=${profiled.id}`,
      width: 1280,
    },
    { name: 'page-connect', path: '/ui/connect', width: 1280 },
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
  const [open, closed] = await get<{ name: string }[]>(`${system.serviceUrl}/benchmarks`);
  if (open === undefined || closed === undefined) throw new Error('Two benchmarks are wanted.');
  await delay((trafficSeconds * 1000) / 5);
  // A profile wants a closed loop.
  let run = await runBenchmark(system.serviceUrl, closed.name);
  for (let done = 1; done < runs; done++) run = await runBenchmark(system.serviceUrl, closed.name);
  await runBenchmark(system.serviceUrl, open.name);
  const profiled = await runBenchmark(system.serviceUrl, closed.name, { profile: true });
  await delay(Math.max(0, until - Date.now()));
  mkdirSync(images, { recursive: true });
  const browser = await launchChromium();
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const { name, path, width } of pictures(closed.name, run, profiled)) {
      const page = await browser.newPage({
        colorScheme,
        viewport: { width, height: 900 },
        deviceScaleFactor: 1,
      });
      await page.goto(system.serviceUrl + path);
      await page.waitForSelector('h1', { state: 'attached', timeout: 15_000 });
      await scrollThrough(page);
      const file = resolve(images, `${name}-${colorScheme}-${width}.png`);
      await page.screenshot({ path: file, fullPage: true });
      await page.close();
    }
  }
  await browser.close();
} finally {
  await system.stop();
}
