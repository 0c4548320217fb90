import { startFleet } from './fleet.ts';
import type { MeasuredServer, ServerOptions } from './servers.ts';

export interface IsolationMeasurement {
  /** Milliseconds of one evaluation of the heavy query. */
  readonly heavyMs: number;
  readonly alone: Disturbance;
  readonly besideHeavy: Disturbance;
}

/** What others notice: answers to a light query, and the time between two scrapes that are stored. */
interface Disturbance {
  readonly queries: number;
  readonly queryP50Ms: number;
  readonly queryWorstMs: number;
  readonly worstScrapeGapMs: number;
}

const light = 'count(up{job="fleet"})';
// 7.2 million points computed from none stored, so that it is the same work for every server.
const heavy = 'max_over_time(sin(vector(time()))[2h:1ms])';
const intervalMs = 500;

/** Lets a server scrape a fleet of 500 series twice a second and asks a light query all the time, without and with a heavy one beside it. */
export async function measureIsolation(
  start: (options: ServerOptions) => Promise<MeasuredServer>,
  directory: string,
  seconds: number,
): Promise<IsolationMeasurement> {
  const fleet = await startFleet(10, 1, 4);
  const server = await start({ directory, targets: fleet.addresses, intervalMs });
  try {
    await ask(server, light);
    const heavyMs = await ask(server, heavy);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const alone = await watch(server, seconds);
    let isOver = false;
    const load = (async () => {
      while (!isOver) await ask(server, heavy);
    })();
    const besideHeavy = await watch(server, seconds);
    isOver = true;
    await load;
    return { heavyMs, alone, besideHeavy };
  } finally {
    await server.process.stop();
    fleet.close();
  }
}

async function watch(server: MeasuredServer, seconds: number): Promise<Disturbance> {
  const began = Date.now();
  const times: number[] = [];
  while (Date.now() - began < seconds * 1_000) {
    times.push(await ask(server, light));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const span = Math.ceil((Date.now() - began) / 1_000);
  const response = await fetch(
    `${server.url}/api/v1/query?${new URLSearchParams({ query: `up{job="fleet"}[${span}s]` })}`,
  );
  const { data } = (await response.json()) as { data: { result: { values: [number, string][] }[] } };
  const gaps = data.result.flatMap(({ values }) =>
    values.slice(1).map(([at], i) => (at - (values[i]?.[0] ?? at)) * 1_000),
  );
  const sorted = times.toSorted((a, b) => a - b);
  return {
    queries: times.length,
    queryP50Ms: sorted[sorted.length >> 1] ?? Number.NaN,
    queryWorstMs: sorted.at(-1) ?? Number.NaN,
    worstScrapeGapMs: Math.max(...gaps),
  };
}

async function ask({ url }: MeasuredServer, query: string): Promise<number> {
  const started = performance.now();
  const response = await fetch(`${url}/api/v1/query`, {
    method: 'POST',
    body: new URLSearchParams({ query }),
  });
  const { status, error } = (await response.json()) as { status: string; error?: string };
  if (status !== 'success') throw new Error(`${query}: ${error}`);
  return performance.now() - started;
}
