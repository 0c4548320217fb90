/**
 * Writes random, type-correct queries over the series of `random-data.ts`, within what Prometheus 2.42 knows and computes as
 * Prometheus 3 does. Left out for that: `atan2` of vectors (2 keeps the name), `predict_linear` under `@` in a range query (2 moves
 * the window), and deviations of infinities (2 answers 0).
 */
export class QueryGenerator {
  readonly #random: () => number;
  /** A time within the data, in Unix seconds, for `@`. */
  readonly #anchor: () => number;

  constructor(random: () => number, anchor: () => number) {
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

  #counter(): string {
    return this.#pick([
      'requests_total',
      'errors_total',
      'requests_total{job="a"}',
      'requests_total{code!="404"}',
    ]);
  }

  #selector(): string {
    const [metric, matchers] = this.#pick([
      ['requests_total', ['job="a"', 'job!="b"', 'code=~"[45].."', 'job=~"a|c"', 'code!~"2.*"', 'job=~".+"']],
      ['errors_total', ['job="a"', 'code="500"', 'job!~"b|c"']],
      ['temperature', ['room="x"', 'job!="a"', 'room=~"x|y"', 'floor=""']],
      ['load', ['job=~"[ab]"', 'job!=""']],
      ['nothing', ['job="a"']],
    ] as const);
    if (this.#chance(0.1)) return '{__name__=~"load|temperature",job!="c"}';
    const chosen = matchers.filter(() => this.#chance(0.3));
    return chosen.length === 0 ? metric : `${metric}{${chosen.join(',')}}`;
  }

  #modifiers(): string {
    const at = this.#chance(0.1) ? ` @ ${this.#pick([String(this.#anchor()), 'start()', 'end()'])}` : '';
    return at + (this.#chance(0.15) ? ` offset ${this.#pick(['15s', '1m', '7m30s', '-1m'])}` : '');
  }

  #rangeSelector(depth: number): string {
    const range = this.#pick(['30s', '1m', '2m', '5m', '12m']);
    if (depth > 1 && this.#chance(0.3)) {
      const step = this.#pick(['15s', '30s', '1m', '']);
      return `(${this.#vector(depth - 2)})[${this.#pick(['2m', '5m', '10m'])}:${step}]${this.#modifiers()}`;
    }
    return `${this.#selector()}[${range}]${this.#modifiers()}`;
  }

  #rangeFunction(depth: number): string {
    const range = this.#rangeSelector(depth);
    if (this.#chance(0.25))
      return `${this.#pick(['rate', 'increase'])}(${this.#counter()}[${this.#pick(['1m', '5m'])}]${this.#modifiers()})`;
    const name = this.#pick([
      ...'delta irate idelta resets changes deriv absent_over_time'.split(' '),
      ...'avg sum min max count last stddev stdvar present'.split(' ').map((one) => `${one}_over_time`),
    ]);
    if (this.#chance(0.08))
      return `quantile_over_time(${this.#pick(['0', '0.3', '0.95', '1', '-1'])}, ${range})`;
    if (this.#chance(0.06))
      return `predict_linear(${this.#selector()}[5m], ${this.#pick(['60', '600', '-30'])})`;
    return `${name}(${range})`;
  }

  #grouping(): string {
    return this.#pick([
      '',
      ' by (job)',
      ' by (code, job)',
      ' without (code)',
      ' without (job, room)',
      ' by ()',
      ' by (room)',
    ]);
  }

  #aggregate(depth: number): string {
    const inner = this.#vector(depth - 1);
    const grouping = this.#grouping();
    // Where equal values compete, and where infinity is averaged, the answer is the implementation's.
    const plain = this.#selector();
    if (this.#chance(0.15))
      return `${this.#pick(['topk', 'bottomk'])}${grouping} (${this.#pick(['1', '2', '5'])}, ${plain})`;
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
    // Steps in a function turn rounding in its argument into whole numbers: give it data as they are.
    const stepped = name === 'ceil' || name === 'floor' || name === 'sgn';
    return `${name}(${stepped ? this.#selector() : inner})`;
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
    const one = `sum by (job) (${this.#vector(depth - 2)})`;
    if (this.#chance(0.5)) return `${left} ${this.#operator()} on (job) group_left () ${one}`;
    return `${one} ${this.#operator()} ignoring (code, room) group_right () ${left}`;
  }

  #setOperation(depth: number): string {
    const matching = this.#pick(['', ' on (job)', ' ignoring (code, room)', ' on ()']);
    return `${this.#vector(depth - 1)} ${this.#pick(['and', 'or', 'unless'])}${matching} ${this.#vector(depth - 1)}`;
  }

  #histogram(depth: number): string {
    const buckets = this.#pick([
      'latency_seconds_bucket',
      'rate(latency_seconds_bucket[5m])',
      'sum by (le) (increase(latency_seconds_bucket[2m]))',
      'sum by (job, le) (rate(latency_seconds_bucket[1m]))',
    ]);
    return `histogram_quantile(${depth > 2 ? this.#pick(['0.5', '0.99', '0', '1', '2']) : '0.9'}, ${buckets})`;
  }

  #relabel(depth: number): string {
    const inner = this.#vector(depth - 1);
    return this.#pick([
      `label_replace(${inner}, "kind", "$1-$2", "job", "(.)(.*)")`,
      `label_replace(${inner}, "job", "x", "room", "x")`,
      `label_join(${inner}, "both", "/", "job", "code")`,
    ]);
  }
}
