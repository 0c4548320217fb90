import { Arm } from './child.ts';
import { OpenLoad } from './open-load.ts';
import { median, push, quantile, type Samples, turned } from './samples.ts';

const KINDS = ['healthy', 'refused', 'silent', 'slow'] as const;
const ARMS = ['healthy', 'healthy again', 'refused', 'silent', 'slow'];
const PER_SECOND = 400;
const REQUESTS = 600;
const DEADLINE_MS = 2_000;

/** Of a figure with a bad collector to the same round's with the healthy ones. */
export interface Ratio {
  readonly median: number;
  /** Quartiles over the rounds. */
  readonly low: number;
  readonly high: number;
}

/** What each collector does to the requests and to the end of a server that exports to it. */
export interface CollectorResult {
  readonly load: { readonly perSecond: number; readonly requests: number; readonly deadlineMs: number };
  readonly p50Ms: Samples;
  readonly p99Ms: Samples;
  readonly p50Ratio: Record<string, Ratio>;
  readonly p99Ratio: Record<string, Ratio>;
  /** From SIGTERM to the process's end, with spans still to be sent. */
  readonly exitMs: Record<string, number>;
  /** Exports that began at each collector; one that refuses sees none. */
  readonly exports: Record<string, number>;
}

function ratios(samples: Samples): Record<string, Ratio> {
  const bases = [samples.healthy ?? [], samples['healthy again'] ?? []];
  return Object.fromEntries(
    Object.entries(samples).map(([name, values]) => {
      const perRound = values.map((value, round) => {
        // Each healthy arm is held against the other one: that is the noise.
        const others = name.startsWith('healthy') ? bases.filter((base) => base !== values) : bases;
        return value / (others.reduce((sum, base) => sum + (base[round] as number), 0) / others.length);
      });
      return [
        name,
        { median: median(perRound), low: quantile(perRound, 0.25), high: quantile(perRound, 0.75) },
      ];
    }),
  );
}

/** Latency and time to end of traced servers, by the state of their collector. Throws where one did not count every request or never exported. */
export async function measureCollectors(rounds: number): Promise<CollectorResult> {
  const collectors = new Arm('collectors-arm.ts', []);
  const urls = await collectors.receive<Record<(typeof KINDS)[number], string>>();
  const arms = new Map<string, { readonly arm: Arm; readonly load: OpenLoad }>();
  for (const name of ARMS) {
    const url = urls[name === 'healthy again' ? 'healthy' : (name as (typeof KINDS)[number])];
    const arm = new Arm('collector-arm.ts', [url, String(DEADLINE_MS)]);
    const { origin } = await arm.receive<{ origin: string }>();
    arms.set(name, { arm, load: await OpenLoad.open(origin, '/hello/world') });
  }
  const p50Ms: Samples = {};
  const p99Ms: Samples = {};
  for (const { load } of arms.values()) await load.send(REQUESTS, 4 * PER_SECOND);
  for (let round = 0; round < rounds; round += 1) {
    for (const name of turned(ARMS, round)) {
      const { load } = arms.get(name) as { load: OpenLoad };
      const latencies = await load.send(REQUESTS, PER_SECOND);
      push(p50Ms, name, median(latencies));
      push(p99Ms, name, quantile(latencies, 0.99));
    }
  }
  const exitMs: Record<string, number> = {};
  for (const [name, { arm, load }] of arms) {
    await load.send(REQUESTS, 4 * PER_SECOND);
    const { count } = await arm.ask<{ count: number }>('count');
    const sent = REQUESTS * (rounds + 2);
    if (count !== sent) throw new Error(`${name} counted ${count} of ${sent} requests`);
    const startMs = performance.now();
    await arm.stop();
    exitMs[name] = performance.now() - startMs;
    load.close();
  }
  const exports = await collectors.ask<Record<string, number>>('exports');
  await collectors.stop();
  for (const [name, began] of Object.entries(exports))
    if (began > 0 === (name === 'refused')) throw new Error(`${began} exports began at ${name}`);
  const load = { perSecond: PER_SECOND, requests: REQUESTS, deadlineMs: DEADLINE_MS };
  return { load, p50Ms, p99Ms, p50Ratio: ratios(p50Ms), p99Ratio: ratios(p99Ms), exitMs, exports };
}
