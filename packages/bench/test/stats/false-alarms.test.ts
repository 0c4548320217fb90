import { seededRandom } from '@weir/test-kit';
import { expect, test } from 'vitest';
import {
  type JudgeOptions,
  type Look,
  look,
  lookSizes,
  type PairedMetric,
  slicesPlan,
} from '../../src/stats/verdict.ts';

type Noise = (random: () => number) => number;

const normal: Noise = (random) => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
/** Student's t with three degrees of freedom, scaled to a standard deviation of 1: now and then a pair is far off. */
const heavy: Noise = (random) => {
  const chi = normal(random) ** 2 + normal(random) ** 2 + normal(random) ** 2;
  return normal(random) / Math.sqrt(chi / 3) / Math.sqrt(3);
};

/** Log ratios of three metrics that move together as those of a server do: what slows it lowers its rate and raises its latency. */
function comparison(random: () => number, noise: Noise, sd: number, count: number): PairedMetric[] {
  const shared = Array.from({ length: count }, () => noise(random));
  const metric = (name: string, share: number): PairedMetric => ({
    name,
    better: 'lower',
    pairs: shared.map((common) => {
      const own = noise(random);
      return { base: 1, head: Math.exp(sd * (share * common + Math.sqrt(1 - share ** 2) * own)) };
    }),
  });
  return [metric('perSecond', 0.95), metric('p50Ms', 0.9), metric('cpuUs', 0.3)];
}

/** Runs whole sequential comparisons of equal builds. @returns shares of the trials */
function falseAlarms(noise: Noise, sd: number, plan = {}, judge: JudgeOptions = {}) {
  const trials = 4_000;
  const random = seededRandom(42);
  const sizes = lookSizes(plan);
  const counts = { slower: 0, faster: 0, same: 0, inconclusive: 0 };
  for (let trial = 0; trial < trials; trial += 1) {
    const metrics = comparison(random, noise, sd, sizes.at(-1) ?? 0);
    let step: Look | undefined;
    for (const size of sizes) {
      const pairs = metrics.map((metric) => ({ ...metric, pairs: metric.pairs.slice(0, size) }));
      step = look(pairs, plan, { ...judge, flips: 1_024 });
      if (step.done) break;
    }
    if (step?.done === true) counts[step.verdict] += 1;
  }
  return { slower: counts.slower / trials, faster: counts.faster / trials, same: counts.same / trials };
}

test.each<[string, Noise, number, object]>([
  ['the spread of a duet', normal, 0.012, {}],
  ['the spread of a duet with heavy tails', heavy, 0.012, {}],
  ['the spread of slices', normal, 0.033, slicesPlan],
  ['a machine ten times as noisy', heavy, 0.12, {}],
])(
  'of 4,000 comparisons of equal builds at %s at most one in a hundred is called slower or faster',
  (_name, noise, sd, plan) => {
    const { slower, faster } = falseAlarms(noise, sd, plan);
    expect(slower + faster).toBeLessThanOrEqual(0.01);
  },
);

test.each([
  ['normal', normal],
  ['heavy-tailed', heavy],
])(
  'three looks at %s noise spend no more than half of α in either direction, even when every effect counts',
  (_name, noise) => {
    // Without a tolerance only the spending limits the alarms, and without an end at `same` all looks are used.
    const { slower, faster } = falseAlarms(noise, 0.012, {}, { tolerance: 0, effect: 0 });
    expect(slower + faster).toBeGreaterThan(0.002);
    // Half of α is for slower: of 4,000 trials a share of 0.5 % lies within 0.22 % of it in 19 of 20 cases.
    expect(slower).toBeLessThanOrEqual(0.0072);
    expect(faster).toBeLessThanOrEqual(0.0072);
  },
);
