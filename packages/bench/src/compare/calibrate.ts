import { tmpdir } from 'node:os';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mulberry32 } from '../stats/sign-flip.ts';
import { look, lookSizes, type PairedMetric, type SequentialPlan, slicesPlan } from '../stats/verdict.ts';
import { type CompareResult, compareBuilds, type DuetLoad, gatedMetrics } from './compare-builds.ts';

/** The slowdown that comparisons on this machine can detect. */
export interface Calibration {
  /** Standard deviation of the log ratio of two equal builds, by metric. */
  readonly spread: Readonly<Record<string, number>>;
  /** The smallest slowdown that at least 90 % of comparisons find; `null` when it is above 30 %, or after an abort. */
  readonly detectable: number | null;
  /** Seconds that a comparison takes on average to find it. */
  readonly seconds: number;
  readonly secondsPerPair: number;
  /** The comparison of equal builds. A verdict other than `same` shows a problem of the machine. */
  readonly comparison: CompareResult;
}

/** Options of {@link calibrate}. */
export interface CalibrateOptions {
  /** Pairs of equal builds. @defaultValue 10 */
  readonly pairs?: number;
  readonly load?: DuetLoad;
  readonly signal?: AbortSignal;
  readonly onPair?: (pairs: number) => void;
}

const candidates = [0.02, 0.03, 0.04, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3];
const trials = 200;
/** Thousands of comparisons are simulated; a sample of the sign flips keeps the test exact at nearly the same power. */
const flips = 2_048;
const power = 0.9;

/** Compares a small server with itself, and derives from the spread which slowdown a comparison on this machine detects. */
export async function calibrate(options: CalibrateOptions = {}): Promise<Calibration> {
  const { pairs = 10, load, signal, onPair } = options;
  const script = fileURLToPath(new URL(`./calibration-server${extname(import.meta.url)}`, import.meta.url));
  const start = { command: `exec "${process.execPath}" "${script}"`, ready: '/', readyTimeoutMs: 30_000 };
  const arm = { directory: tmpdir(), start, label: 'calibration server' };
  const comparison = await compareBuilds({
    base: arm,
    head: arm,
    scenario: { name: 'calibration', target: 'http://127.0.0.1:1', requests: [{ path: '/' }] },
    plan: { minPairs: pairs, maxPairs: pairs },
    ...(load === undefined ? {} : { load }),
    ...(signal === undefined ? {} : { signal }),
    ...(onPair === undefined ? {} : { onPair: (progress) => onPair(progress.pairs) }),
  });
  const measured = gatedMetrics(comparison.pairs);
  const secondsPerPair = comparison.durationMs / 1_000 / Math.max(comparison.pairs.length, 1);
  const spread = Object.fromEntries(measured.map((metric) => [metric.name, spreadOf(metric)]));
  const plan = comparison.design === 'slices' ? slicesPlan : {};
  const found = comparison.partial
    ? { detectable: null, seconds: 0 }
    : findDetectable(spread, secondsPerPair, plan);
  return { spread, ...found, secondsPerPair, comparison };
}

/** Simulates whole sequential comparisons of normal log ratios with the measured spread. Deterministic. */
export function findDetectable(
  spread: Readonly<Record<string, number>>,
  secondsPerPair: number,
  plan: SequentialPlan = {},
): { readonly detectable: number | null; readonly seconds: number } {
  const sizes = lookSizes(plan);
  const longest = sizes.at(-1) ?? 0;
  for (const effect of candidates) {
    const random = mulberry32(Math.round(effect * 1_000));
    let found = 0;
    let pairs = 0;
    for (let trial = 0; trial < trials; trial += 1) {
      const metrics = Object.entries(spread).map(([name, sd]) => simulate(name, sd, effect, longest, random));
      for (const size of sizes) {
        const seen = metrics.map((metric) => ({ ...metric, pairs: metric.pairs.slice(0, size) }));
        const step = look(seen, plan, { flips });
        if (!step.done) continue;
        if (step.verdict === 'slower') found += 1;
        pairs += size;
        break;
      }
    }
    if (found >= trials * power)
      return { detectable: effect, seconds: Math.round((pairs / trials) * secondsPerPair) };
  }
  return { detectable: null, seconds: Math.round(longest * secondsPerPair) };
}

function simulate(
  name: string,
  sd: number,
  effect: number,
  count: number,
  random: () => number,
): PairedMetric {
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const pairs = Array.from({ length: count }, () => ({
    base: 1,
    head: (1 + effect) * Math.exp(sd * normal()),
  }));
  return { name, better: 'lower', pairs };
}

function spreadOf({ pairs }: PairedMetric): number {
  const ratios = pairs
    .filter(({ base, head }) => base > 0 && head > 0)
    .map(({ base, head }) => Math.log(head / base));
  const mean = ratios.reduce((sum, ratio) => sum + ratio, 0) / Math.max(ratios.length, 1);
  return Math.sqrt(
    ratios.reduce((sum, ratio) => sum + (ratio - mean) ** 2, 0) / Math.max(ratios.length - 1, 1),
  );
}
