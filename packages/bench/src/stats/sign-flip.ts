/**
 * Sign-flip test of several metrics over several looks, exact.
 *
 * Between equal builds it is chance alone which arm of a pair is head. So a pair's log ratios x are as likely as −x, all metrics at once, and
 * flipping whole pairs gives the joint null distribution of whatever is computed from them, however the metrics hang together. Of metric
 * m at look j it is T = Σ sign(xᵢ) wᵢ / √Σ wᵢ², with weights that depend on |x| alone.
 *
 * Metrics: step-down with the largest T of those not yet rejected (Westfall and Young, Resampling-Based Multiple Testing, 1993). It
 * bounds the chance of any false rejection as Holm's correction does, and asks for less the more the metrics say the same.
 * Looks: an error is spent look by look (Lan and DeMets, Biometrika 70, 1983); a flip that an earlier look rejects counts as rejected.
 */

/** A look at the data. */
export interface SpendingLook {
  /** Pairs that it sees, from the first on. */
  readonly pairs: number;
  /** Chance of a rejection without effect, in one direction, up to and with this look. */
  readonly spent: number;
}

/**
 * Adjusted over metrics and earlier looks: to be held against what is spent up to this look. 1 in the direction that the metric does not
 * point to.
 */
export interface SignFlip {
  readonly pGreater: number;
  readonly pLess: number;
}

/** Options of {@link signFlipTest}. */
export interface SignFlipOptions {
  /** Looks before this one, in their order. @defaultValue none */
  readonly earlier?: readonly SpendingLook[];
  /** At most so many flips. Where there are more, as many random ones are drawn, always the same. @defaultValue 65_536: all of 16 pairs */
  readonly flips?: number;
  /** Of each |x|. @defaultValue {@link steadyWeights} */
  readonly weigh?: (values: readonly number[]) => readonly number[];
}

/** Default of {@link SignFlipOptions.flips}. */
export const defaultFlips = 65_536;

/**
 * @param metrics of each metric one value a pair, the pairs in the same order; 0 says nothing
 * @returns one result a metric. 65,536 flips of three metrics at the third look take about 30 ms
 */
export function signFlipTest(
  metrics: readonly (readonly number[])[],
  options: SignFlipOptions = {},
): SignFlip[] {
  const { earlier = [], flips = defaultFlips, weigh = steadyWeights } = options;
  const count = metrics[0]?.length ?? 0;
  const sizes = [...earlier.map((look) => look.pairs), count];
  const parts = sizes.map((size) => metrics.map((values) => contributions(values.slice(0, size), weigh)));
  const signs = drawSigns(count, flips);
  const sums = parts.map((look) => look.map((part) => flipSums(part, signs)));
  const observed = parts.at(-1)?.map((part) => part.reduce((sum, value) => sum + value, 0)) ?? [];
  const pGreater = stepDown(observed, sums, earlier);
  negate(sums.flat());
  const pLess = stepDown(
    observed.map((value) => -value),
    sums,
    earlier,
  );
  return metrics.map((_, index) => ({ pGreater: pGreater[index] ?? 1, pLess: pLess[index] ?? 1 }));
}

/** Beyond so many upper quartiles of |x| a value is out of all proportion. */
const reach = 1.5;

/**
 * Ranks of |x|, of which the larger half weighs alike, and nothing beyond one and a half upper quartiles: about one pair of fresh processes in
 * twenty is out of all proportion (steady-hook.ts), and says nothing about the others. At most a quarter can be left out, which
 * could never decide alone.
 */
export function steadyWeights(values: readonly number[]): number[] {
  const sizes = values.filter((value) => value > 0).sort((a, b) => a - b);
  const most = reach * (sizes[Math.floor(sizes.length * 0.75)] ?? 0);
  const highest = 2 * Math.ceil(values.length / 2);
  return doubledRanks(values).map((rank, index) =>
    (values[index] ?? 0) > most ? 0 : Math.min(rank, highest),
  );
}

/** What each pair adds to T when it is not flipped. */
function contributions(
  values: readonly number[],
  weigh: (values: readonly number[]) => readonly number[],
): number[] {
  const weights = weigh(values.map(Math.abs));
  const signed = values.map((value, index) => Math.sign(value) * (weights[index] ?? 0));
  const norm = Math.sqrt(signed.reduce((sum, value) => sum + value * value, 0));
  return norm === 0 ? signed : signed.map((value) => value / norm);
}

/** Bits of each flip, eight pairs a byte; a set bit flips its pair. The first flip flips none. */
function drawSigns(count: number, flips: number): Uint8Array[] {
  const drawn = Math.min(2 ** count, flips);
  const random = drawn < 2 ** count ? mulberry32(count) : undefined;
  return Array.from({ length: Math.ceil(count / 8) }, (_, byte) => {
    const column = new Uint8Array(drawn);
    for (let flip = 1; flip < drawn; flip += 1)
      column[flip] = random === undefined ? flip >>> (8 * byte) : random() * 256;
    return column;
  });
}

/** T of every flip, from sums of eight pairs at a time. */
function flipSums(part: readonly number[], signs: readonly Uint8Array[]): Float64Array {
  const sums = new Float64Array(signs[0]?.length ?? 1);
  signs.forEach((column, byte) => {
    const eight = part.slice(8 * byte, 8 * byte + 8);
    if (eight.length === 0) return;
    const table = Float64Array.from({ length: 256 }, (_, bits) =>
      eight.reduce((sum, value, place) => sum + ((bits >> place) & 1 ? -value : value), 0),
    );
    for (let flip = 0; flip < sums.length; flip += 1)
      sums[flip] = (sums[flip] ?? 0) + (table[column[flip] ?? 0] ?? 0);
  });
  return sums;
}

/** Adjusted p of every metric above 0: against all metrics for the clearest, against those left for each that follows, and never below it. */
function stepDown(
  observed: readonly number[],
  sums: readonly (readonly Float64Array[])[],
  earlier: readonly SpendingLook[],
): number[] {
  const order = observed.map((_, index) => index).sort((a, b) => (observed[b] ?? 0) - (observed[a] ?? 0));
  const adjusted = new Array<number>(observed.length).fill(1);
  let highest = 0;
  order.forEach((metric, place) => {
    const value = observed[metric] ?? 0;
    if (value <= 0) return;
    const left = order.slice(place);
    const largest = sums.map((look) => largestOf(left.map((index) => look[index] ?? new Float64Array())));
    highest = Math.max(highest, shareRejected(value, largest, earlier));
    adjusted[metric] = highest;
  });
  return adjusted;
}

function negate(columns: readonly Float64Array[]): void {
  for (const column of columns)
    for (let flip = 0; flip < column.length; flip += 1) column[flip] = -(column[flip] ?? 0);
}

function largestOf(columns: readonly Float64Array[]): Float64Array {
  const [first = new Float64Array(), ...others] = columns;
  const largest = first.slice();
  for (const column of others)
    for (let flip = 0; flip < largest.length; flip += 1) {
      const value = column[flip] ?? 0;
      if (value > (largest[flip] ?? 0)) largest[flip] = value;
    }
  return largest;
}

/** Sums of the same numbers in another order may differ by this. */
const rounding = 1e-9;

/** Share of the flips that an earlier look rejects, or that are as large as `observed` at this one. */
function shareRejected(
  observed: number,
  largest: readonly Float64Array[],
  earlier: readonly SpendingLook[],
): number {
  const total = largest[0]?.length ?? 1;
  const rejected = new Uint8Array(total);
  let count = 0;
  const reject = (values: Float64Array, least: number): void => {
    for (let flip = 0; flip < total; flip += 1) {
      if (rejected[flip] === 1 || (values[flip] ?? 0) < least - rounding) continue;
      rejected[flip] = 1;
      count += 1;
    }
  };
  largest.forEach((values, look) => {
    const spent = earlier[look]?.spent;
    reject(
      values,
      spent === undefined ? observed : critical(values, rejected, Math.floor(spent * total) - count),
    );
  });
  return count / total;
}

/** The least value that at most `room` of those not yet rejected reach. */
function critical(values: Float64Array, rejected: Uint8Array, room: number): number {
  // T has a variance of 1, so what may be rejected lies in its tail; only where the tail is too short all of it is sorted.
  for (const least of [2, Number.NEGATIVE_INFINITY]) {
    const tail: number[] = [];
    for (let flip = 0; flip < values.length; flip += 1) {
      const value = values[flip] ?? 0;
      if (value > least && rejected[flip] === 0) tail.push(value);
    }
    if (tail.length <= room) continue;
    const sorted = Float64Array.from(tail).sort();
    let from = Math.max(sorted.length - Math.max(room, 0), 1);
    // Ties with the first that finds no room stay out together with it.
    while (from < sorted.length && (sorted[from] ?? 0) < (sorted[from - 1] ?? 0) + 2 * rounding) from += 1;
    return sorted[from] ?? Number.POSITIVE_INFINITY;
  }
  return Number.NEGATIVE_INFINITY;
}

/**
 * Ranks as Wilcoxon's signed-rank test takes them, and the exact distribution of its statistic: W⁺ is the sum of the ranks of |xᵢ| over
 * positive xᵢ; under the null each sign is a fair coin, so P(W⁺ ≥ w) counts the subsets of ranks whose sum is at least w
 * (Hollander, Wolfe, Chicken: Nonparametric Statistical Methods, 3rd ed., 3.1).
 */

/** Twice the rank of each value, ties sharing their mean: whole numbers. */
export function doubledRanks(values: readonly number[]): number[] {
  const order = values.map((_, index) => index).sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0));
  const ranks = new Array<number>(values.length).fill(0);
  for (let from = 0; from < order.length; ) {
    let to = from;
    while (to + 1 < order.length && values[order[to + 1] ?? 0] === values[order[from] ?? 0]) to += 1;
    for (let place = from; place <= to; place += 1) ranks[order[place] ?? 0] = from + to + 2;
    from = to + 1;
  }
  return ranks;
}

/** `tail[w]` = P(sum of a random subset ≥ w), for every w from 0 to the sum of all. */
export function tailProbabilities(ranks: readonly number[]): Float64Array {
  const total = ranks.reduce((sum, rank) => sum + rank, 0);
  const mass = new Float64Array(total + 1);
  mass[0] = 1;
  let reach = 0;
  for (const rank of ranks) {
    reach += rank;
    for (let sum = reach; sum >= 0; sum -= 1) {
      mass[sum] = ((mass[sum] ?? 0) + (sum >= rank ? (mass[sum - rank] ?? 0) : 0)) / 2;
    }
  }
  for (let sum = total - 1; sum >= 0; sum -= 1) mass[sum] = (mass[sum] ?? 0) + (mass[sum + 1] ?? 0);
  return mass;
}

/** Tommy Ettinger's mulberry32: small, fast, and the same everywhere for the same seed. @returns values in [0, 1) */
export function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
