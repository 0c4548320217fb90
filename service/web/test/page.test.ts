import { join } from 'node:path';
import { launchChromium } from '@weir/test-kit';
import axe from 'axe-core';
import { build } from 'vite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LiveSystem, startLiveSystem } from './live-system.ts';

type Browser = Awaited<ReturnType<typeof launchChromium>>;
type Page = Awaited<ReturnType<Browser['newPage']>>;

let system: LiveSystem;
let browser: Browser;

beforeAll(async () => {
  await build({ configFile: join(import.meta.dirname, '../vite.config.ts'), logLevel: 'error' });
  [system, browser] = await Promise.all([startLiveSystem(), launchChromium()]);
});

afterAll(async () => {
  await browser?.close();
  await system?.stop();
});

interface OpenPage {
  readonly page: Page;
  /** Errors of scripts, of the console and of the content security policy so far. */
  readonly errors: string[];
}

async function open(
  path: string,
  view: { width?: number; colorScheme?: 'light' | 'dark' } = {},
): Promise<OpenPage> {
  const { width = 1280, colorScheme = 'light' } = view;
  const context = await browser.newContext({
    viewport: { width, height: 900 },
    colorScheme,
    reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  await page.goto(system.serviceUrl + path);
  return { page, errors };
}

/** Scrolls through the page, as panels out of sight ask for nothing, until the panel shows a chart. */
async function chartOf(page: Page, title: string): Promise<string> {
  const panel = page.getByRole('region', { name: title, exact: true });
  await panel.scrollIntoViewIfNeeded();
  await panel.locator('canvas').waitFor();
  return (await panel.getByRole('group').getAttribute('aria-label')) ?? '';
}

test('the first page shows targets with their state and moving charts in every section', async () => {
  const { page, errors } = await open('/');
  const targets = page.getByRole('region', { name: 'Targets' });
  await targets.getByText('up,').first().waitFor();
  await targets
    .getByText(/^down, .*/)
    .first()
    .waitFor();
  for (const title of [
    'Requests by route',
    'Event-loop utilisation',
    'Reads by result',
    'Decisions',
    'Connections',
  ]) {
    expect(await chartOf(page, title), title).toMatch(/: .+ [\d.]+/);
  }
  const requests = page.getByRole('region', { name: 'Requests', exact: true }).first();
  await requests.scrollIntoViewIfNeeded();
  await expect
    .poll(() => requests.locator('.stat-value').textContent(), { timeout: 15_000 })
    .toMatch(/^[\d.]+K? req\/s$/);
  expect(errors).toEqual([]);
  await page.context().close();
});

test('a chart draws lines, and the arrow keys read its values out', async () => {
  const { page } = await open('/');
  await chartOf(page, 'Latency');
  const panel = page.getByRole('region', { name: 'Latency', exact: true });
  const inked = await panel.locator('canvas').evaluate((element) => {
    const canvas = element as HTMLCanvasElement;
    const pixels = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
    let count = 0;
    for (let at = 3; at < pixels.length; at += 4) if (pixels[at] !== 0) count++;
    return count;
  });
  expect(inked).toBeGreaterThan(500);
  await panel.getByRole('group').focus();
  await page.keyboard.press('End');
  await expect.poll(() => panel.locator('output').textContent()).toMatch(/p50 [\d.]+ m?s/);
  await page.context().close();
});

test('a legend entry shows its series alone, and a chosen job stands in the URL', async () => {
  const { page } = await open('/');
  await chartOf(page, 'Latency');
  const panel = page.getByRole('region', { name: 'Latency', exact: true });
  await panel.getByRole('button', { name: /^p99/ }).click();
  await expect
    .poll(() => panel.getByRole('button', { name: /^p99/ }).getAttribute('aria-pressed'))
    .toBe('true');
  await page.getByRole('button', { name: /^Job/ }).click();
  await page.getByRole('checkbox', { name: 'gone' }).check();
  await expect.poll(() => new URL(page.url()).searchParams.get('var-job')).toBe('gone');
  await page.keyboard.press('Escape');
  await page.getByText('No HTTP requests in this range').first().waitFor();
  await page.context().close();
});

test('the button runs the benchmark, with live progress, to a result on the page', async () => {
  const { page, errors } = await open('/ui/benchmarks');
  const card = page.getByRole('article', { name: 'Benchmark product-page' });
  await card.getByRole('button', { name: 'Run benchmark' }).click();
  await card.getByRole('progressbar').waitFor();
  await card.getByText('Measuring').waitFor({ timeout: 20_000 });
  await card.getByText('p99.9').waitFor({ timeout: 20_000 });
  expect(await card.locator('.figure-main dd').textContent()).toMatch(/^[\d,.]+ req\/s/);
  await card.locator('canvas').nth(1).waitFor();
  expect(errors).toEqual([]);
  await page.reload();
  await card.getByText('p99.9').waitFor();
  await page.context().close();
});

/** Pushes the last result of the benchmark, with its throughput scaled, under another name. */
async function push(name: string, scale: number): Promise<{ readonly id: string }> {
  const runs = `${system.serviceUrl}/benchmarks/product-page/runs`;
  const [{ result }] = await (await fetch(runs)).json();
  const scaled = {
    ...result,
    requests: { ...result.requests, perSecond: result.requests.perSecond * scale },
  };
  const response = await fetch(`${system.serviceUrl}/benchmarks/${name}/results`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(scaled),
  });
  expect(response.status).toBe(201);
  return response.json();
}

test('two runs stand side by side, with their courses in one chart', async () => {
  const base = await push('pushed', 1);
  const head = await push('pushed', 0.5);
  const { page, errors } = await open(`/ui/benchmarks/pushed/compare?base=${base.id}&head=${head.id}`);
  const row = page.getByRole('row', { name: /^Throughput/ });
  await row.getByText('−50.0 %').waitFor();
  await page.getByRole('group', { name: /^Throughput of both runs/ }).waitFor();
  await page.getByRole('button', { name: 'Exchange base and head' }).click();
  await row.getByText('+100.0 %').waitFor();
  expect(new URL(page.url()).searchParams.get('base')).toBe(head.id);
  expect(errors).toEqual([]);
  await page.context().close();
});

test('a run with a profile shows its flame graph, by mouse and by keyboard, and the functions that differ', async () => {
  const run = await push('profiled', 1);
  const stacks = { type: 'sampled', unit: 'microseconds', samples: [[0], [0, 1], [2]] };
  const names = ['handle src/routes.ts:12', 'render src/page.ts:40', '(garbage collector)'];
  const profile = {
    shared: { frames: names.map((name) => ({ name })) },
    profiles: [
      { ...stacks, name: 'head, a request', weights: [5, 30, 2] },
      { ...stacks, name: 'base, a request', weights: [5, 10, 2] },
    ],
  };
  const put = await fetch(
    `${system.serviceUrl}/benchmarks/profiled/runs/${run.id}/artefacts/speedscope.json`,
    { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify(profile) },
  );
  expect(put.status).toBe(204);
  const { page, errors } = await open(`/ui/benchmarks/profiled/runs/${run.id}`);
  const graph = page.getByRole('region', { name: 'Flame graph' });
  await graph.getByRole('row', { name: /render.*10 µs.*30 µs.*\+20 µs/ }).waitFor();
  await graph.getByRole('button', { name: /^handle.*: 35 µs a request in head/ }).click();
  await graph.getByRole('button', { name: /garbage/ }).waitFor({ state: 'detached' });
  await graph.getByRole('button', { name: /^render.*: 30 µs/ }).press('Enter');
  await graph.getByRole('navigation', { name: 'Calls above' }).getByText('render').waitFor();
  expect(errors).toEqual([]);
  await page.context().close();
});

test('time moves back by half, widens, the marks can be hidden, and Back undoes each step', async () => {
  const { page } = await open('/ui/dashboards/weir-http');
  await page.getByRole('button', { name: 'Show twice as much time' }).click();
  const search = (): URLSearchParams => new URL(page.url()).searchParams;
  const from = Number(search().get('from'));
  expect(from).toBeGreaterThan(0);
  await page.getByRole('button', { name: 'Earlier' }).click();
  await expect.poll(() => Number(search().get('from'))).toBeLessThan(from);
  await page.getByRole('button', { name: 'Deploys' }).click();
  await expect.poll(() => search().getAll('hide-marks')).toEqual(['Deploys']);
  await page.goBack();
  await expect.poll(() => search().getAll('hide-marks')).toEqual([]);
  await page.goBack();
  await expect.poll(() => Number(search().get('from'))).toBe(from);
  await page.context().close();
});

test.each([
  ['/', 1280, 'light'],
  ['/', 390, 'dark'],
  ['/ui/dashboards/weir-http', 1280, 'dark'],
  ['/ui/explore?expr=up', 1280, 'light'],
  ['/ui/alerts', 390, 'light'],
  ['/ui/benchmarks', 390, 'light'],
  ['/ui/benchmarks/product-page/compare', 390, 'dark'],
  ['/ui/dashboards/weir-database', 3840, 'dark'],
] as const)(
  'axe finds no serious fault on %s at %i px in %s, and nothing overflows',
  async (path, width, colorScheme) => {
    const { page } = await open(path, { width, colorScheme });
    if (path === '/') await chartOf(page, 'Latency');
    await page.getByRole('heading', { level: 1 }).waitFor({ state: 'attached' });
    await page.evaluate(axe.source);
    const serious = await page.evaluate(async () => {
      const axe = (globalThis as unknown as { axe: { run(): Promise<AxeResults> } }).axe;
      const { violations } = await axe.run();
      return violations
        .filter(({ impact }) => impact === 'serious' || impact === 'critical')
        .map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).slice(0, 5)}`);
    });
    expect(serious).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    await page.context().close();
  },
);

interface AxeResults {
  readonly violations: readonly {
    readonly id: string;
    readonly impact: string | null;
    readonly nodes: readonly { readonly target: readonly string[] }[];
  }[];
}

test('nothing moves once the page stands', async () => {
  const { page } = await open('/');
  await chartOf(page, 'Requests by route');
  const shift = await page.evaluate(
    () =>
      new Promise<number>((resolve) => {
        let sum = 0;
        new PerformanceObserver((list) => {
          for (const entry of list.getEntries()) sum += (entry as unknown as { value: number }).value;
        }).observe({ type: 'layout-shift', buffered: true });
        setTimeout(() => resolve(sum), 200);
      }),
  );
  expect(shift).toBeLessThan(0.1);
  await page.context().close();
});

test('explore completes a name, draws the answer, says what is wrong with an expression, and Back returns to the query before', async () => {
  const { page } = await open('/ui/explore');
  await page.getByText(/metrics are stored/).waitFor();
  const input = page.getByRole('combobox', { name: 'PromQL expression' });
  await input.pressSequentially('process_cpu');
  await page.getByRole('option', { name: 'process_cpu_seconds_total' }).waitFor();
  await input.press('Enter');
  await input.press('Enter');
  await page.getByRole('region', { name: 'Over time' }).locator('canvas').waitFor();
  await page.getByRole('region', { name: 'Now' }).getByRole('cell', { name: 'shop' }).first().waitFor();
  expect(new URL(page.url()).searchParams.get('expr')).toBe('process_cpu_seconds_total');
  await input.fill('sum(');
  await input.press('Enter');
  await page.getByRole('alert').first().waitFor();
  // The same query again is no step of its own.
  await input.press('Enter');
  await page.goBack();
  await expect.poll(() => new URL(page.url()).searchParams.get('expr')).toBe('process_cpu_seconds_total');
  await expect.poll(() => input.inputValue()).toBe('process_cpu_seconds_total');
  await page.goForward();
  await expect.poll(() => input.inputValue()).toBe('sum(');
  await page.context().close();
});

test('alerts lists the rules, and a dashboard with a heat map draws it', async () => {
  const { page, errors } = await open('/ui/alerts');
  await page.getByText('WeirTargetDown').waitFor();
  await page.goto(`${system.serviceUrl}/ui/dashboards/weir-http`);
  await page.getByRole('img', { name: /^Latency distribution: most now between/ }).waitFor();
  expect(errors).toEqual([]);
  await page.context().close();
});

test('an unknown page and an unknown dashboard say so in words', async () => {
  const { page } = await open('/ui/nowhere');
  await page.getByRole('heading', { name: 'There is no such page' }).waitFor();
  await page.goto(`${system.serviceUrl}/ui/dashboards/nowhere`);
  await page.getByRole('alert').getByText('GET /dashboards lists the dashboards.').waitFor();
  await page.context().close();
});
