/**
 * Takes a picture of every dashboard, as the page of a running service shows it, into docs/images.
 * Usage: node --conditions=@weir/source dashboards/scripts/pictures.ts [http://127.0.0.1:4040]
 */
import { join } from 'node:path';
import { launchChromium } from '@weir/test-kit';
import { dashboards } from '../src/index.ts';

const service = process.argv[2] ?? 'http://127.0.0.1:4040';
const images = join(import.meta.dirname, '../../docs/images');
const width = 1280;

const browser = await launchChromium();
try {
  for (const [index, { uid }] of dashboards.entries()) {
    const colorScheme = index % 2 === 0 ? 'light' : 'dark';
    const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
    await page.goto(`${service}/ui/dashboards/${uid}`);
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
