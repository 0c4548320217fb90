/** Figures of interleaved rounds: what an arm adds is taken within each round, so that drift of the machine cancels out. */

/** Each arm's figure of every round, in the order of the rounds. */
export type Samples = Record<string, number[]>;

/** What an arm adds to the null arms, over rounds. */
export interface Added {
  readonly median: number;
  /** Quartiles over the rounds. */
  readonly low: number;
  readonly high: number;
}

export function push(samples: Samples, name: string, value: number): void {
  samples[name] = [...(samples[name] ?? []), value];
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const low = sorted[Math.floor(at)] as number;
  return low + ((sorted[Math.ceil(at)] as number) - low) * (at - Math.floor(at));
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

export function collect(rows: readonly Record<string, number>[]): Samples {
  const samples: Samples = {};
  for (const row of rows) for (const [name, value] of Object.entries(row)) push(samples, name, value);
  return samples;
}

export function medians(samples: Samples): Record<string, number> {
  return Object.fromEntries(Object.entries(samples).map(([name, values]) => [name, median(values)]));
}

/** What each arm adds to the mean of the null arms of the same round. */
export function added(samples: Samples): Record<string, Added> {
  const nulls = [samples.null ?? [], samples['null again'] ?? samples.null ?? []];
  const base = (round: number): number =>
    nulls.reduce((sum, values) => sum + (values[round] ?? 0), 0) / nulls.length;
  return Object.fromEntries(
    Object.entries(samples).map(([name, values]) => {
      const differences = values.map((value, round) => value - base(round));
      return [
        name,
        { median: median(differences), low: quantile(differences, 0.25), high: quantile(differences, 0.75) },
      ];
    }),
  );
}

/** The arms in an order that turns with every round, so that none always follows the same one. */
export function turned(arms: readonly string[], round: number): string[] {
  return arms.map((_, index) => arms[(index + round) % arms.length] as string);
}
