/**
 * Holm's step-down correction: the k-th smallest of m p-values is adjusted to the running maximum of (m − k + 1)·p₍k₎, capped at 1.
 * Rejecting what is adjusted below α keeps the chance of any false rejection at most α, however the tests depend on each other.
 *
 * @returns adjusted values in the order of the input
 */
export function holm(pValues: readonly number[]): number[] {
  const order = pValues.map((_, index) => index).sort((a, b) => (pValues[a] ?? 0) - (pValues[b] ?? 0));
  const adjusted = new Array<number>(pValues.length).fill(1);
  let highest = 0;
  order.forEach((index, place) => {
    highest = Math.max(highest, Math.min(1, (pValues.length - place) * (pValues[index] ?? 1)));
    adjusted[index] = highest;
  });
  return adjusted;
}
