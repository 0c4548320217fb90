import type { Budget } from './budget.ts';
import { PromqlError } from './errors.ts';
import type { Labels } from './labels.ts';

/**
 * One series of an instant vector at every step of a grid: `values[i]` counts where `present[i]` is 1. Whoever gets one
 * from an evaluation owns it and may overwrite its arrays.
 */
export interface StepSeries {
  readonly labels: Labels;
  /** The name is to go once the query is done, under delayed name removal. */
  readonly dropName: boolean;
  readonly values: Float64Array;
  readonly present: Uint8Array;
}

const firstChunk = 256;
const largestChunk = 1 << 16;

/** Hands out arrays of one length, cut from few large ones: many small allocations cost more than the work on them. */
export class StepArrays {
  readonly #steps: number;
  readonly #budget: Budget;
  #values: Float64Array = new Float64Array(0);
  #present: Uint8Array = new Uint8Array(0);
  #used = 0;

  constructor(steps: number, budget: Budget) {
    this.#steps = steps;
    this.#budget = budget;
  }

  /** Takes back the arrays handed out last, which nobody has written to. */
  giveBack(): void {
    this.#used -= this.#steps;
    this.#budget.release(this.#steps);
  }

  /** Zeroed arrays, charged to the budget. */
  next(): { values: Float64Array; present: Uint8Array } {
    const steps = this.#steps;
    this.#budget.take(steps);
    if (this.#used + steps > this.#values.length) {
      const wanted = Math.min(largestChunk, Math.max(firstChunk, this.#values.length * 4));
      const cells = Math.max(steps, Math.floor(wanted / steps) * steps);
      this.#values = new Float64Array(cells);
      this.#present = new Uint8Array(cells);
      this.#used = 0;
    }
    const from = this.#used;
    this.#used += steps;
    return {
      values: this.#values.subarray(from, this.#used),
      present: this.#present.subarray(from, this.#used),
    };
  }
}

export function isPresent(series: StepSeries): boolean {
  return series.present.includes(1);
}

export const sameLabelset = 'vector cannot contain metrics with the same labelset';

/**
 * Joins series with equal labels into one. @throws {PromqlError} `execution` where two of them have a value at one step.
 */
export function mergeEqual(series: readonly StepSeries[]): StepSeries[] {
  const bySignature = new Map<string, StepSeries>();
  for (const one of series) {
    const key = one.labels.signature;
    const known = bySignature.get(key);
    if (known === undefined) bySignature.set(key, one);
    else bySignature.set(key, mergeInto(known, one));
  }
  return bySignature.size === series.length ? (series as StepSeries[]) : [...bySignature.values()];
}

function mergeInto(known: StepSeries, other: StepSeries): StepSeries {
  for (let i = 0; i < known.present.length; i++) {
    if (other.present[i] === 0) continue;
    if (known.present[i] === 1) throw new PromqlError('execution', sameLabelset);
    known.present[i] = 1;
    known.values[i] = other.values[i] as number;
  }
  return known;
}
