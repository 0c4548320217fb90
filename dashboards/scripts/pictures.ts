/**
 * Takes a picture of every dashboard, as the service's page shows it, into docs/images: after every condition was
 * provoked on a shop of its own (about four minutes), or of a running service.
 * Usage: node --conditions=@weir/source dashboards/scripts/pictures.ts [http://127.0.0.1:4040]
 * The page must be built: `npx -y pnpm@12 build`.
 */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { launchChromium } from '@weir/test-kit';
import { provoke } from '../../examples/shop/src/conditions.ts';
import { dashboards } from '../src/index.ts';
import { alarms } from '../test/live/alarms.ts';
import { Rig } from '../test/live/live-system.ts';

const images = join(import.meta.dirname, '../../docs/images');
const width = 1280;
const given = process.argv[2];
const rig = new Rig();

try {
  if (given === undefined) {
    const { url, fromMs } = await provokeAll();
    await take(url, `?from=${fromMs}&to=${Date.now()}`);
  } else {
    await take(given, '');
  }
} finally {
  await rig.stop();
}

/** A service that saw each condition for a while, with calm between them, and a benchmark before and after a slower build. */
async function provokeAll(): Promise<{ url: string; fromMs: number }> {
  const { shopUrl, candidateUrl, redis, deploy } = await rig.startShop({ traced: true });
  const { serviceUrl, runBenchmark } = await rig.startService({ shop: shopUrl }, candidateUrl, {
    scrapeInterval: '1s',
    timeScale: 0.02,
  });
  const fromMs = Date.now();
  void watch(serviceUrl, rig.load.signal);
  await delay(15_000);
  for (const { condition } of alarms) {
    if (condition === 'benchmark-regression' || condition === 'scrape-failure') continue;
    const frozen = condition === 'limiter-outage' ? redis.limits : redis.cache;
    await provoke(condition, { target: shopUrl, redis: frozen, signal: AbortSignal.timeout(14_000) });
    await delay(5000);
    if (condition === 'slow-query') await runBenchmark();
  }
  await runBenchmark();
  await deploy('slower');
  await runBenchmark();
  await delay(10_000);
  return { url: serviceUrl, fromMs };
}

/** Someone who has a panel open, so that the service has queries to tell of. */
async function watch(service: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const seconds = Date.now() / 1000;
    const body = new URLSearchParams({
      query: 'sum by (http_route) (rate(http_server_request_duration_seconds_count[10s]))',
      start: String(seconds - 60),
      end: String(seconds),
      step: '1',
    });
    await fetch(`${service}/api/v1/query_range`, { method: 'POST', body, signal })
      .then((response) => response.arrayBuffer())
      .catch(() => {});
    await delay(1000, undefined, { signal }).catch(() => {});
  }
}

async function take(service: string, range: string): Promise<void> {
  const browser = await launchChromium();
  try {
    for (const [index, { uid }] of dashboards.entries()) {
      const colorScheme = index % 2 === 0 ? 'light' : 'dark';
      const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
      await page.goto(`${service}/ui/dashboards/${uid}${range}`);
      await page.locator('.panel').first().waitFor();
      // Panels out of sight ask for nothing: the window grows to the whole page.
      const height = await page.evaluate<number>('document.documentElement.scrollHeight');
      await page.setViewportSize({ width, height: Math.min(height, 4000) });
      await page.locator('.panel-waiting').first().waitFor({ state: 'detached' });
      await page.waitForTimeout(1500);
      const path = join(images, `dashboard-${uid}.png`);
      await page.screenshot({ path });
      console.log(path);
      await page.close();
    }
  } finally {
    await browser.close();
  }
}
