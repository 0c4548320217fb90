import type { Contender } from './contender.ts';

/** One contender's rate in one shape of load. */
export interface Figure {
  readonly opsPerSecond: number;
  /** Median of the rounds' ratios against the base. */
  readonly ratio: number;
  /** Fastest less slowest round, by the median. */
  readonly spread: number;
}

/** A shape of load, and what everyone made of it. */
export interface Comparison {
  readonly base: string;
  readonly keys: number;
  readonly inFlight: number;
  readonly requests: number;
  readonly rounds: number;
  readonly figures: Readonly<Record<string, Figure>>;
}

/** A shape of load. */
export interface Shape {
  readonly base: string;
  readonly keys: readonly string[];
  readonly inFlight: number;
  readonly requests: number;
  readonly rounds: number;
  /** What everyone must answer to every request. */
  readonly allowed: boolean;
}

/** Rounds before the timed ones: what is timed is compiled code. */
const WARM_UP = 3;

/** Times everyone in turn, round by round, and rejects when anyone answers otherwise than expected. */
export async function compare(contenders: readonly Contender[], shape: Shape): Promise<Comparison> {
  const rates = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
  for (let round = -WARM_UP; round < shape.rounds; round++) {
    for (const contender of contenders) {
      await contender.startAfresh?.();
      const rate = await timeOne(contender, shape);
      if (round >= 0) rates.get(contender.name)?.push(rate);
    }
  }
  const base = rates.get(shape.base);
  if (base === undefined) throw new Error(`No contender is called ${shape.base}`);
  const { inFlight, requests, rounds } = shape;
  const figures = Object.fromEntries([...rates].map(([name, list]) => [name, figureOf(list, base)]));
  return { base: shape.base, keys: shape.keys.length, inFlight, requests, rounds, figures };
}

/** Prints a comparison as a table. */
export function print(title: string, { base, figures }: Comparison): void {
  console.log(`\n${title} (× ${base})`);
  for (const [name, { opsPerSecond, ratio, spread }] of Object.entries(figures)) {
    console.log(`  ${name.padEnd(40)} ${String(opsPerSecond).padStart(9)}/s  × ${ratio}  (spread ${spread})`);
  }
}

/** Keeps `inFlight` requests going until all are done. */
async function timeOne(contender: Contender, { keys, inFlight, requests, allowed }: Shape): Promise<number> {
  let next = 0;
  let admitted = 0;
  const started = performance.now();
  const worker = async (): Promise<void> => {
    while (next < requests) {
      if (await contender.consume(keys[next++ % keys.length] as string)) admitted++;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  const rate = (requests / (performance.now() - started)) * 1000;
  const expected = allowed ? requests : 0;
  if (admitted !== expected)
    throw new Error(`${contender.name} admitted ${admitted} of ${requests}, not ${expected}`);
  return rate;
}

function figureOf(rates: readonly number[], base: readonly number[]): Figure {
  const middle = median(rates);
  const ratio = median(rates.map((rate, round) => rate / (base[round] as number)));
  const spread = (Math.max(...rates) - Math.min(...rates)) / middle;
  return { opsPerSecond: Math.round(middle), ratio: round2(ratio), spread: round2(spread) };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] as number;
}

function round2(value: number): number {
  return Math.round(value * 100) / 100;
}
