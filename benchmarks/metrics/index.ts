/**
 * `pnpm bench:peers metrics`: what metrics cost, against prom-client, its successor, fastify-metrics and OpenTelemetry's pg instrumentation.
 *
 * Arms run interleaved, one after the other in every round, and in turned order; the figure is the CPU time of the process
 * that serves, not the throughput. The null arm runs twice: the distance of the two is the noise of this run.
 *
 * The collector part holds traced servers against one another by the state of the collector that they export to; its figures are latencies, and
 * times from SIGTERM to the end. It writes results of its own.
 *
 * `--quick` for a run of two minutes; `--only http,pg` for a part, which writes no results save the collector's; `--rounds` and `--requests` for longer ones.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Arm } from './child.ts';
import { measureCollectors, type Ratio } from './collector.ts';
import { measureHttp } from './http.ts';
import { measurePg } from './pg.ts';
import { type Added, added, collect, medians, push, type Samples } from './samples.ts';

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

interface InstrumentResult {
  readonly observeNs: Record<string, number>[];
  readonly scrapeMs: Record<string, number>[];
  readonly equal: boolean;
}

async function measureInstruments(rounds: number): Promise<InstrumentResult> {
  const arm = new Arm('instrument-arm.ts', [String(rounds)]);
  const result = await arm.receive<InstrumentResult>();
  await arm.stop();
  return result;
}

function line(name: string, figure: string): void {
  console.log(`  ${name.padEnd(28)} ${figure}`);
}

function table(title: string, figures: Readonly<Record<string, Added>>, unit: string): void {
  console.log(`\n${title} (median, quartiles over rounds)`);
  for (const [name, { median, low, high }] of Object.entries(figures))
    line(name, `${median.toFixed(2).padStart(8)} ${unit}  [${low.toFixed(2)} … ${high.toFixed(2)}]`);
}

function ratio(figures: Readonly<Record<string, Added>>, peer: string): number {
  return (figures.weir?.median ?? Number.NaN) / (figures[peer]?.median ?? Number.NaN);
}

const PARTS = ['instruments', 'startup', 'http', 'pg', 'collector'] as const;

function write(file: string, result: object): void {
  const commit = execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' }).trim();
  const environment = { node: process.version, cpu: cpus()[0]?.model, cores: cpus().length, commit };
  const results = join(import.meta.dirname, '../results');
  mkdirSync(results, { recursive: true });
  writeFileSync(join(results, file), `${JSON.stringify({ environment, ...result }, null, 2)}\n`);
}

async function runCollectors(rounds: number): Promise<void> {
  const result = await measureCollectors(rounds);
  const spread = ({ median, low, high }: Ratio): string =>
    `${median.toFixed(2)} [${low.toFixed(2)} … ${high.toFixed(2)}]`;
  console.log(
    '\na traced server by its collector: median over rounds, of the healthy ones with quartiles, end after SIGTERM',
  );
  for (const [name, p50Ms] of Object.entries(medians(result.p50Ms))) {
    const p99Ms = medians(result.p99Ms)[name] as number;
    const p99 = `p99 ${p99Ms.toFixed(2)} ms × ${spread(result.p99Ratio[name] as Ratio)}`;
    line(
      name,
      `p50 ${p50Ms.toFixed(2)} ms × ${spread(result.p50Ratio[name] as Ratio)}  ${p99}  end ${result.exitMs[name]?.toFixed(0)} ms`,
    );
  }
  write('metrics-collector.json', { rounds, ...result });
}

/** Runs everything, prints tables and writes benchmarks/results/metrics.json and metrics-collector.json. */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean' },
      only: { type: 'string' },
      rounds: { type: 'string' },
      requests: { type: 'string' },
    },
  });
  const rounds = Number(values.rounds ?? (values.quick ? 5 : 15));
  const requests = Number(values.requests ?? (values.quick ? 5_000 : 15_000));
  const wanted = values.only?.split(',') ?? PARTS;
  const samples: Record<string, Samples> = {};
  const ratios: Record<string, number> = {};
  let equalValues: boolean | undefined;
  if (wanted.includes('instruments')) {
    const { observeNs, scrapeMs, equal } = await measureInstruments(rounds);
    Object.assign(samples, { observeNs: collect(observeNs), scrapeMs: collect(scrapeMs) });
    equalValues = equal;
    const observe = added(collect(observeNs));
    const scrape = medians(collect(scrapeMs));
    table('observe() with three labels, less the empty loop', observe, 'ns');
    console.log('\na scrape of 10,000 series (median)');
    for (const [name, value] of Object.entries(scrape)) line(name, `${value.toFixed(2).padStart(8)} ms`);
    ratios['observe, of prom-client'] = ratio(observe, 'prom-client');
    ratios['scrape, of prom-client'] = (scrape.weir as number) / (scrape['prom-client'] as number);
  }
  if (wanted.includes('startup')) {
    samples.startupMs = await measureStartup(rounds);
    table('start: import and create, added', added(samples.startupMs), 'ms');
  }
  if (wanted.includes('http')) {
    samples.httpCpuMicros = await measureHttp(rounds, requests);
    const http = added(samples.httpCpuMicros);
    table('Fastify hello: CPU of the server added per request', http, 'µs');
    ratios['HTTP, of a prom-client hook'] = ratio(http, 'prom-client');
    ratios['HTTP, of fastify-metrics'] = ratio(http, 'fastify-metrics');
  }
  if (wanted.includes('pg')) {
    samples.pgCpuMicros = await measurePg(rounds, requests);
    const queries = added(samples.pgCpuMicros);
    table('pg: CPU of the client added per query', queries, 'µs');
    ratios['pg, of OpenTelemetry'] = ratio(queries, 'opentelemetry');
  }
  if (Object.keys(samples).length > 0) {
    console.log('\nratios');
    for (const [name, value] of Object.entries(ratios)) line(name, `${value.toFixed(3).padStart(8)} ×`);
    if (equalValues !== undefined) console.log(`\nscraped values equal to prom-client’s: ${equalValues}`);
    if (equalValues === false) throw new Error('The scraped values differ from prom-client’s.');
    if (values.only === undefined) {
      write('metrics.json', { rounds, requests, ratios, equalValues, samples });
    }
  }
  if (wanted.includes('collector')) await runCollectors(Math.min(rounds, 7));
}
