/** Values of one series in time order; `null` is a gap. */
export type Values = readonly (number | null)[];

/** One number of a series by a calculation of Grafana's; `null` if there is none. Unknown names give the last value. */
export function reduce(values: Values, calc: string): number | null {
  const numbers = values.filter((value) => value !== null && !Number.isNaN(value)) as number[];
  if (numbers.length === 0) return null;
  switch (calc) {
    case 'max':
      return numbers.reduce((a, b) => Math.max(a, b));
    case 'min':
      return numbers.reduce((a, b) => Math.min(a, b));
    case 'sum':
      return numbers.reduce((a, b) => a + b);
    case 'mean':
      return numbers.reduce((a, b) => a + b) / numbers.length;
    case 'count':
      return numbers.length;
    case 'first':
    case 'firstNotNull':
      return numbers[0] ?? null;
    case 'last':
      return values.at(-1) ?? null;
    default:
      return numbers.at(-1) ?? null;
  }
}

/** The calculation as a legend writes it. */
export function calcLabel(calc: string): string {
  return calc === 'lastNotNull' || calc === 'last' ? 'last' : calc;
}
