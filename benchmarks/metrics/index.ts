/**
 * `pnpm bench:peers metrics`: what metrics cost, against prom-client, its successor, fastify-metrics and OpenTelemetry's pg instrumentation.
 *
 * Arms run interleaved, one after the other in every round, and in turned order; the figure is the CPU time of the process
 * that serves, not the throughput. The null arm runs twice: the distance of the two is the noise of this run.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { startPostgres } from '@weir/test-kit';
import pg from 'pg';
import { Arm } from './child.ts';

const HTTP_ARMS = ['null', 'null again', 'weir', 'prom-client', 'prometheus-io', 'fastify-metrics'];
const PG_ARMS = ['null', 'null again', 'weir', 'opentelemetry'];

// Rounds that are not counted: hooks are called often enough in them to be compiled.
const WARM_UP = 4;

type Samples = Record<string, number[]>;

function push(samples: Samples, name: string, value: number): void {
  samples[name] = [...(samples[name] ?? []), value];
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

async function load(origin: string, requests: number): Promise<void> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 10 });
  let left = requests;
  const lane = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await new Promise<void>((resolve, reject) => {
        http
          .get(`${origin}/hello/world`, { agent }, (response) => response.resume().on('end', resolve))
          .on('error', reject);
      });
    }
  };
  await Promise.all(Array.from({ length: 10 }, lane));
  agent.destroy();
}

async function measureHttp(rounds: number, requests: number): Promise<Samples> {
  const arms = new Map<string, { arm: Arm; origin: string; sent: number }>();
  for (const name of HTTP_ARMS) {
    const arm = new Arm('http-arm.ts', [name]);
    arms.set(name, { arm, origin: (await arm.receive<{ origin: string }>()).origin, sent: 0 });
  }
  const samples: Samples = {};
  for (let round = -WARM_UP; round < rounds; round += 1) {
    const turned = HTTP_ARMS.map(
      (_, index) => HTTP_ARMS[(index + round + WARM_UP) % HTTP_ARMS.length] as string,
    );
    for (const name of turned) {
      const entry = arms.get(name) as { arm: Arm; origin: string; sent: number };
      const before = await entry.arm.ask<{ cpuMicros: number }>('cpu');
      await load(entry.origin, requests);
      const after = await entry.arm.ask<{ cpuMicros: number }>('cpu');
      entry.sent += requests;
      if (round >= 0) push(samples, name, (after.cpuMicros - before.cpuMicros) / requests);
    }
  }
  for (const [name, { arm, sent }] of arms) {
    const { count } = await arm.ask<{ count?: number }>('count');
    if (!name.startsWith('null') && count !== sent)
      throw new Error(`${name} counted ${count} of ${sent} requests`);
    await arm.stop();
  }
  return samples;
}

async function measurePg(rounds: number, queries: number): Promise<Samples> {
  const database = await startPostgres();
  const samples: Samples = {};
  try {
    const client = new pg.Client(database.url);
    await client.connect();
    await client.query(
      'CREATE TABLE bench_products AS SELECT i AS id, i::text AS name FROM generate_series(0, 99) i',
    );
    await client.end();
    const arms = new Map<string, Arm>();
    for (const name of PG_ARMS) {
      const arm = new Arm('pg-arm.ts', [name, database.url]);
      await arm.receive();
      arms.set(name, arm);
    }
    for (let round = -WARM_UP; round < rounds; round += 1) {
      for (let index = 0; index < PG_ARMS.length; index += 1) {
        const name = PG_ARMS[(index + round + WARM_UP) % PG_ARMS.length] as string;
        const { cpuMicros } = await (arms.get(name) as Arm).ask<{ cpuMicros: number }>({ queries });
        if (round >= 0) push(samples, name, cpuMicros / queries);
      }
    }
    const { count } = await (arms.get('weir') as Arm).ask<{ count: number }>('count');
    if (count !== queries * (rounds + WARM_UP))
      throw new Error(`weir timed ${count} of ${queries * (rounds + WARM_UP)} queries`);
    for (const arm of arms.values()) await arm.stop();
  } finally {
    await database.stop();
  }
  return samples;
}

async function measureStartup(rounds: number): Promise<Samples> {
  const samples: Samples = {};
  for (let round = 0; round < rounds; round += 1) {
    for (const name of ['null', 'weir', 'prom-client']) {
      const arm = new Arm('startup-arm.ts', [name]);
      const { addedMs } = await arm.receive<{ addedMs: number }>();
      push(samples, name, addedMs);
      await arm.stop();
    }
  }
  return samples;
}

function medians(samples: Samples): Record<string, number> {
  return Object.fromEntries(Object.entries(samples).map(([name, values]) => [name, median(values)]));
}

/** What each arm adds to the mean of the null arms of the same round: the median over rounds, so that drift cancels out. */
function added(samples: Samples): Record<string, number> {
  const nulls = [samples.null ?? [], samples['null again'] ?? samples.null ?? []];
  const base = (round: number): number =>
    nulls.reduce((sum, values) => sum + (values[round] ?? 0), 0) / nulls.length;
  return Object.fromEntries(
    Object.entries(samples).map(([name, values]) => [
      name,
      median(values.map((value, round) => value - base(round))),
    ]),
  );
}

function collect(rows: readonly Record<string, number>[]): Samples {
  const samples: Samples = {};
  for (const row of rows) for (const [name, value] of Object.entries(row)) push(samples, name, value);
  return samples;
}

function table(title: string, figures: Readonly<Record<string, number>>, unit: string): void {
  console.log(`\n${title}`);
  for (const [name, value] of Object.entries(figures))
    console.log(`  ${name.padEnd(18)} ${value.toFixed(2).padStart(9)} ${unit}`);
}

/** Runs everything, prints tables and writes benchmarks/results/metrics.json. `--quick` for a run of a minute. */
export async function run(args: string[]): Promise<void> {
  const quick = args.includes('--quick');
  const rounds = quick ? 5 : 15;
  const micro = new Arm('instrument-arm.ts', [String(rounds)]);
  const instruments = await micro.receive<{
    observeNs: Record<string, number>[];
    scrapeMs: Record<string, number>[];
    equal: boolean;
  }>();
  await micro.stop();
  const samples = {
    observeNs: collect(instruments.observeNs),
    scrapeMs: collect(instruments.scrapeMs),
    startupMs: await measureStartup(rounds),
    httpCpuMicros: await measureHttp(rounds, quick ? 4_000 : 10_000),
    pgCpuMicros: await measurePg(rounds, quick ? 4_000 : 8_000),
  };
  const observe = added(samples.observeNs);
  const scrape = medians(samples.scrapeMs);
  const httpAdded = added(samples.httpCpuMicros);
  const pgAdded = added(samples.pgCpuMicros);
  const startup = added(samples.startupMs);
  table('observe() with three labels, less the empty loop', observe, 'ns');
  table('a scrape of 10,000 series', scrape, 'ms');
  table('Fastify hello: CPU of the server added per request', httpAdded, 'µs');
  table('pg: CPU of the client added per query', pgAdded, 'µs');
  table('start: import and create, added', startup, 'ms');
  const of = (figures: Readonly<Record<string, number>>, peer: string): number =>
    (figures.weir ?? Number.NaN) / (figures[peer] ?? Number.NaN);
  const ratios = {
    'observe, of prom-client': of(observe, 'prom-client'),
    'scrape, of prom-client': of(scrape, 'prom-client'),
    'HTTP, of a prom-client hook': of(httpAdded, 'prom-client'),
    'HTTP, of fastify-metrics': of(httpAdded, 'fastify-metrics'),
    'pg, of OpenTelemetry': of(pgAdded, 'opentelemetry'),
  };
  table('ratios', ratios, '×');
  console.log(`\nscraped values equal to prom-client’s: ${instruments.equal}`);
  const commit = execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' }).trim();
  const environment = { node: process.version, cpu: cpus()[0]?.model, cores: cpus().length, commit };
  const results = join(import.meta.dirname, '../results');
  mkdirSync(results, { recursive: true });
  writeFileSync(
    join(results, 'metrics.json'),
    `${JSON.stringify({ environment, rounds, ratios, equalValues: instruments.equal, samples }, null, 2)}\n`,
  );
}
