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
