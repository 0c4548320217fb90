/** What queries are written about. */
export interface Vocabulary {
  /** Selectors of counters. */
  readonly counters: readonly string[];
  /** Metrics with matchers that suit them. */
  readonly metrics: readonly (readonly [metric: string, matchers: readonly string[]])[];
  /** A selector without a metric's name. */
  readonly nameless: string;
  /** Metrics whose values never equal each other: the choice among equals is the engine's. */
  readonly ranked: readonly string[];
  /** Metrics of classic buckets. */
  readonly buckets: string;
  /** Labels: one that every series has, and two that some have. */
  readonly labels: readonly [common: string, string, string];
  /** Durations, from a few samples upwards. */
  readonly ranges: readonly string[];
  readonly offsets: readonly string[];
  readonly steps: readonly string[];
}

/**
 * Writes random, type-correct queries over some vocabulary, within what Prometheus 2.42 knows and computes as
 * Prometheus 3 does. Left out for that: `atan2` of vectors (2 keeps the name), `predict_linear` under `@` in a range query (2 moves
 * the window), and deviations of infinities (2 answers 0).
 */
export class QueryGenerator {
  readonly #random: () => number;
  /** A time within the data, in Unix seconds, for `@`. */
  readonly #anchor: () => number;

  readonly #words: Vocabulary;

  constructor(words: Vocabulary, random: () => number, anchor: () => number) {
    this.#words = words;
    this.#random = random;
    this.#anchor = anchor;
  }

  query(): string {
    return this.#random() < 0.08 ? this.#scalar(2) : this.#vector(3);
  }

  #pick<T>(choices: readonly T[]): T {
    return choices[Math.floor(this.#random() * choices.length)] as T;
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }

  #vector(depth: number): string {
    if (depth <= 0) return this.#selector() + this.#modifiers();
    return this.#pick([
      () => this.#selector() + this.#modifiers(),
      () => this.#rangeFunction(depth),
      () => this.#rangeFunction(depth),
      () => this.#aggregate(depth),
      () => this.#aggregate(depth),
      () => this.#instantFunction(depth),
      () => this.#scalarOperation(depth),
      () => this.#vectorOperation(depth),
      () => this.#setOperation(depth),
      () => this.#histogram(depth),
      () => this.#relabel(depth),
      () => `(${this.#vector(depth - 1)})`,
    ])();
  }

  #selector(): string {
    if (this.#chance(0.1)) return this.#words.nameless;
    const [metric, matchers] = this.#pick(this.#words.metrics);
    const chosen = matchers.filter(() => this.#chance(0.3));
    return chosen.length === 0 ? metric : `${metric}{${chosen.join(',')}}`;
  }

  #modifiers(): string {
    const at = this.#chance(0.1) ? ` @ ${this.#pick([String(this.#anchor()), 'start()', 'end()'])}` : '';
    return at + (this.#chance(0.15) ? ` offset ${this.#pick(this.#words.offsets)}` : '');
  }

  #rangeSelector(depth: number): string {
    const { ranges, steps } = this.#words;
    if (depth > 1 && this.#chance(0.3))
      return `(${this.#vector(depth - 2)})[${this.#pick(ranges.slice(2))}:${this.#pick(steps)}]${this.#modifiers()}`;
    return `${this.#selector()}[${this.#pick(ranges)}]${this.#modifiers()}`;
  }

  #rangeFunction(depth: number): string {
    const range = this.#rangeSelector(depth);
    if (this.#chance(0.25))
      return `${this.#pick(['rate', 'increase'])}(${this.#pick(this.#words.counters)}[${this.#pick(this.#words.ranges.slice(1))}]${this.#modifiers()})`;
    const name = this.#pick([
      ...'delta irate idelta resets changes deriv absent_over_time'.split(' '),
      ...'avg sum min max count last stddev stdvar present'.split(' ').map((one) => `${one}_over_time`),
    ]);
    if (this.#chance(0.08))
      return `quantile_over_time(${this.#pick(['0', '0.3', '0.95', '1', '-1'])}, ${range})`;
    if (this.#chance(0.06))
      return `predict_linear(${this.#selector()}[${this.#words.ranges[3]}], ${this.#pick(['60', '600', '-30'])})`;
    return `${name}(${range})`;
  }

  #grouping(): string {
    const [common, a, b] = this.#words.labels;
    return this.#pick([
      '',
      ` by (${common})`,
      ` by (${a}, ${common})`,
      ` without (${a})`,
      ` without (${common}, ${b})`,
      ' by ()',
      ` by (${b})`,
    ]);
  }

  #aggregate(depth: number): string {
    const inner = this.#vector(depth - 1);
    const grouping = this.#grouping();
    // Where infinity is averaged, the answer is the implementation's.
    const plain = this.#selector();
    if (this.#chance(0.15))
      return `${this.#pick(['topk', 'bottomk'])}${grouping} (${this.#pick(['1', '2', '5'])}, ${this.#pick(this.#words.ranked)})`;
    if (this.#chance(0.12))
      return `quantile${grouping} (${this.#pick(['0.5', '0.9', '0', '1.5'])}, ${inner})`;
    if (this.#chance(0.05)) return `count_values${grouping} ("value", ${plain})`;
    if (this.#chance(0.15)) return `${this.#pick(['stddev', 'stdvar'])}${grouping} (${plain})`;
    return `${this.#pick(['sum', 'avg', 'min', 'max', 'count', 'group'])}${grouping} (${inner})`;
  }

  #instantFunction(depth: number): string {
    const inner = this.#vector(depth - 1);
    if (this.#chance(0.2))
      return this.#pick([`clamp(${inner}, -5, 50)`, `clamp_min(${inner}, 3)`, `clamp_max(${inner}, 3)`]);
    if (this.#chance(0.15))
      return this.#pick([`round(${this.#selector()}, 0.5)`, `absent(${inner})`, `timestamp(${inner})`]);
    if (this.#chance(0.1))
      return `${this.#pick(['hour', 'minute', 'day_of_week', 'month', 'year', 'day_of_year'])}(${this.#selector()})`;
    const name = this.#pick(
      'abs ceil floor exp sqrt ln log2 log10 sgn sin cos tan atan sinh deg rad'.split(' '),
    );
    // Steps in a function turn rounding in its argument into whole numbers, and a circle turns what is small beside a large
    // angle into any other: give them data as they are.
    const isSteep = ['ceil', 'floor', 'sgn', 'sin', 'cos', 'tan'].includes(name);
    return `${name}(${isSteep ? this.#selector() : inner})`;
  }

  #scalar(depth: number): string {
    if (depth <= 0 || this.#chance(0.4))
      return this.#pick(['1', '2.5', '-3', '1e3', '0x1F', '0', 'pi()', 'time() % 60', 'NaN', 'Inf']);
    if (this.#chance(0.3)) return `scalar(${this.#vector(depth - 1)})`;
    const operator = this.#pick(['+', '-', '*', '/', '^', '> bool', '<= bool', 'atan2']);
    return `(${this.#scalar(depth - 1)} ${operator} ${this.#scalar(depth - 1)})`;
  }

  #operator(): string {
    return this.#pick(['+', '-', '*', '/', '>', '<', '>=', '<=', '!=', '> bool', '== bool', '<= bool']);
  }

  #scalarOperation(depth: number): string {
    const sides = [this.#vector(depth - 1), this.#scalar(1)];
    if (this.#chance(0.3)) sides.reverse();
    return `${sides[0]} ${this.#operator()} ${sides[1]}`;
  }

  #vectorOperation(depth: number): string {
    if (this.#chance(0.3)) return `-${this.#vector(depth - 1)}`;
    const left = this.#vector(depth - 1);
    if (this.#chance(0.4)) return `${left} ${this.#operator()} ${this.#vector(depth - 1)}`;
    const [common, a, b] = this.#words.labels;
    const one = `sum by (${common}) (${this.#vector(depth - 2)})`;
    if (this.#chance(0.5)) return `${left} ${this.#operator()} on (${common}) group_left () ${one}`;
    return `${one} ${this.#operator()} ignoring (${a}, ${b}) group_right () ${left}`;
  }

  #setOperation(depth: number): string {
    const [common, a, b] = this.#words.labels;
    const matching = this.#pick(['', ` on (${common})`, ` ignoring (${a}, ${b})`, ' on ()']);
    return `${this.#vector(depth - 1)} ${this.#pick(['and', 'or', 'unless'])}${matching} ${this.#vector(depth - 1)}`;
  }

  #histogram(depth: number): string {
    const { buckets: name, labels, ranges } = this.#words;
    const buckets = this.#pick([
      name,
      `rate(${name}[${ranges[3]}])`,
      `sum by (le) (increase(${name}[${ranges[2]}]))`,
      `sum by (${labels[0]}, le) (rate(${name}[${ranges[1]}]))`,
    ]);
    return `histogram_quantile(${depth > 2 ? this.#pick(['0.5', '0.99', '0', '1', '2']) : '0.9'}, ${buckets})`;
  }

  #relabel(depth: number): string {
    const inner = this.#vector(depth - 1);
    const [common, a, b] = this.#words.labels;
    return this.#pick([
      `label_replace(${inner}, "kind", "$1-$2", "${common}", "(.)(.*)")`,
      `label_replace(${inner}, "${common}", "x", "${b}", "x")`,
      `label_join(${inner}, "both", "/", "${common}", "${a}")`,
    ]);
  }
}
