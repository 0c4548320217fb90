/**
 * A metric family: label sets → series, under a budget of whole label sets. Past the budget every new label set shares the one overflow series,
 * whose labels are all `_OTHER`, so that no input can grow memory or the scrape without bound.
 */
import { type MetricDefinition, overflowValue } from '../catalogue.ts';
import { metricsError } from '../errors.ts';

/** A label value; it is exported as text. */
export type LabelValue = string | number | boolean;

type Node<S> = Map<string, Node<S> | S>;

/** One label set of a family. */
export interface Series {
  readonly labelValues: readonly string[];
  /** The series' lines without their values, by format; made by the first scrape that needs them. */
  rendered: { readonly text?: readonly string[]; readonly openmetrics?: readonly string[] } | undefined;
  /** Sets it back to 0. */
  reset(): void;
}

/** The default budget of a family, in label sets. */
export const defaultMaxSeries = 2_000;

const validName = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** The lookup and the budget that all kinds of instrument share. */
export abstract class Family<S extends Series> {
  readonly definition: MetricDefinition;
  readonly maxSeries: number;
  readonly #root: Node<S> = new Map();
  readonly #series: S[] = [];
  #overflow: S | undefined;
  #isFull = false;
  #overflowed = 0;

  constructor(definition: MetricDefinition, maxSeries: number = defaultMaxSeries) {
    for (const name of [definition.name, ...definition.labels]) {
      if (!validName.test(name) || name === 'le') throw metricsError('ERR_WEIR_METRICS_INVALID_NAME', name);
    }
    if (!Number.isSafeInteger(maxSeries) || maxSeries < 1) {
      throw metricsError('ERR_WEIR_METRICS_INVALID_OPTION', 'maxSeries', 'a positive integer', maxSeries);
    }
    if (new Set(definition.labels).size < definition.labels.length) {
      throw metricsError(
        'ERR_WEIR_METRICS_INVALID_OPTION',
        'labels',
        'a list without repetitions',
        definition.labels,
      );
    }
    this.definition = definition;
    this.maxSeries = maxSeries;
  }

  /** Every live series, the overflow series last. Do not keep the array: it is the family's own. */
  get series(): readonly S[] {
    return this.#series;
  }

  /** Observations folded into the overflow series because the family was full; a reset does not change it. */
  get overflowed(): number {
    return this.#overflowed;
  }

  /**
   * The series of these label values, in the order of the definition. Keep it if the values are fixed: a kept series costs no lookup. Past the
   * budget a new label set returns the overflow series. Numbers and booleans name the same series as their text and are slower to look up. Throws
   * ERR_WEIR_METRICS_LABELS for a wrong number of values.
   */
  labels(...values: readonly LabelValue[]): S {
    const depth = values.length;
    if (depth !== this.definition.labels.length) {
      throw metricsError(
        'ERR_WEIR_METRICS_LABELS',
        this.definition.name,
        this.definition.labels.length,
        depth,
      );
    }
    if (depth === 0) return this.#series[0] ?? this.#add([]);
    let node = this.#root;
    for (let index = 0; index < depth - 1; index += 1) {
      const next = node.get(values[index] as string);
      if (next === undefined) return this.#admit(values);
      node = next as Node<S>;
    }
    return (node.get(values[depth - 1] as string) as S | undefined) ?? this.#admit(values);
  }

  /** The series of all label sets without one of their own; the first use creates it. */
  get overflow(): S {
    this.#isFull = true;
    return this.#shared();
  }

  /** Whether a new label set would receive a series of its own. */
  get hasRoom(): boolean {
    return this.#series.length - (this.#overflow === undefined ? 0 : 1) < this.maxSeries;
  }

  /** Sets every series back to 0, as a restart would. Kept series stay valid. */
  reset(): void {
    for (const series of this.#series) series.reset();
  }

  /** Drops one label set; a no-op for an unknown one. */
  remove(...given: readonly LabelValue[]): void {
    const values = given.map(String);
    const path: Node<S>[] = [this.#root];
    for (const value of values.slice(0, -1)) {
      const next = path.at(-1)?.get(value) as Node<S> | undefined;
      if (next === undefined) return;
      path.push(next);
    }
    const series = path.at(-1)?.get(values.at(-1) as string) as S | undefined;
    if (series === undefined) return;
    this.#series.splice(this.#series.indexOf(series), 1);
    // Remove nodes that no series uses any more.
    for (let depth = path.length - 1; depth >= 0; depth -= 1) {
      const node = path[depth] as Node<S>;
      node.delete(values[depth] as string);
      if (node.size > 0) return;
    }
  }

  protected abstract create(labelValues: readonly string[], onObserve: (() => void) | undefined): S;

  #admit(values: readonly LabelValue[]): S {
    if (values.some((value) => typeof value !== 'string')) return this.labels(...values.map(String));
    if (values.every((value) => value === overflowValue)) return this.#shared();
    return this.hasRoom ? this.#add(values as readonly string[]) : this.overflow;
  }

  // A caller's own label set of only `_OTHER` is this series too: a scrape must not carry it twice.
  #shared(): S {
    if (this.#overflow === undefined) {
      this.#overflow = this.create(
        this.definition.labels.map(() => overflowValue),
        () => {
          if (this.#isFull) this.#overflowed += 1;
        },
      );
      this.#series.push(this.#overflow);
    }
    return this.#overflow;
  }

  #add(values: readonly string[]): S {
    const series = this.create([...values], undefined);
    let node = this.#root;
    for (const value of values.slice(0, -1)) {
      let next = node.get(value) as Node<S> | undefined;
      if (next === undefined) {
        next = new Map();
        node.set(value, next);
      }
      node = next;
    }
    if (values.length > 0) node.set(values[values.length - 1] as string, series);
    if (this.#overflow === undefined) this.#series.push(series);
    else this.#series.splice(-1, 0, series);
    return series;
  }
}
