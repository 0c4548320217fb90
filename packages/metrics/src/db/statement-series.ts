/**
 * Which statements have series of their own: the `maxStatements` that took the most time, with a half-life; all others share the overflow series.
 *
 * While there is room the first come get series. Past it a Space-Saving sketch (Metwally, Agrawal, El Abbadi, 2005) follows as many
 * candidates again: a newcomer takes the place of the lightest and inherits its weight as its possible error, so that what a candidate
 * is known to weigh is `weight - error`. A candidate that is known to weigh more than twice the lightest owner displaces it.
 *
 * No counter goes backwards: a displaced series is exported unchanged for GRACE_MS, while its observations go to the overflow
 * series, and only then gives up its place. Every observation so stands in exactly one series for every scraper that comes
 * at least once in that time, and sums of rates stay right.
 */
import type { Histogram, HistogramSeries } from '../instruments/histogram.ts';
import type { Clock } from '../registry.ts';
import type { Statement } from './statements.ts';

const halfLifeMs = 300_000;
const rebalanceMs = 10_000;
const graceMs = 120_000;
const requiredAdvantage = 2;

/** One fingerprint of one system, as far as it is followed. */
export class TrackedStatement {
  readonly system: string;
  readonly statement: Statement;
  /** Seconds, halved every five minutes; up to `error` of them may be others'. */
  weight = 0;
  error = 0;
  /** The series of its own, if it is among the top. */
  series: HistogramSeries | undefined = undefined;
  /** The series it had until `retiredMs`, exported for a while yet. */
  retired: HistogramSeries | undefined = undefined;
  retiredMs = 0;
  /** Whether it is followed; one that is not has to be looked up anew. */
  kept = false;
  /** Whether it was slow before: its callers' stacks are worth their price then. */
  wasSlow = false;

  constructor(system: string, statement: Statement) {
    this.system = system;
    this.statement = statement;
  }

  get key(): string {
    return `${this.system} ${this.statement.fingerprint}`;
  }

  get known(): number {
    return this.weight - this.error;
  }
}

/** Gives statements their series. */
export class StatementSeries {
  readonly #family: Histogram;
  readonly #clock: Clock;
  readonly #byKey = new Map<string, TrackedStatement>();
  readonly #owners = new Set<TrackedStatement>();
  readonly #candidates = new Set<TrackedStatement>();
  readonly #retired = new Set<TrackedStatement>();
  #rebalancedMs: number;

  constructor(family: Histogram, clock: Clock) {
    this.#family = family;
    this.#clock = clock;
    this.#rebalancedMs = clock.now();
  }

  /** What is followed of a statement; it is followed from its first observation on. */
  track(system: string, statement: Statement): TrackedStatement {
    const fresh = new TrackedStatement(system, statement);
    return this.#byKey.get(fresh.key) ?? fresh;
  }

  /** Counts one execution, and gives the series it stands in. */
  observe(tracked: TrackedStatement, seconds: number): HistogramSeries {
    const current = tracked.kept ? tracked : this.#admit(tracked);
    current.weight += seconds;
    const series = current.series ?? this.#family.overflow;
    series.observe(seconds);
    return series;
  }

  /** Lets the heaviest candidates have what the lightest owners had; call it before each scrape. */
  rebalance(): void {
    const nowMs = this.#clock.now();
    const elapsedMs = nowMs - this.#rebalancedMs;
    if (elapsedMs < rebalanceMs) return;
    this.#rebalancedMs = nowMs;
    const factor = 2 ** (-elapsedMs / halfLifeMs);
    for (const tracked of this.#byKey.values()) {
      tracked.weight *= factor;
      tracked.error *= factor;
    }
    this.#dropRetired(nowMs);
    if (this.#candidates.size === 0) return;
    const heaviest = [...this.#candidates].sort((a, b) => b.known - a.known);
    const lightest = [...this.#owners].sort((a, b) => a.weight - b.weight);
    for (const [rank, candidate] of heaviest.entries()) {
      // Places that are about to be free are for the first candidates; one of those may be who had the place.
      if (candidate.retired !== undefined && rank < this.#retired.size) this.#promote(candidate);
      else if (this.#family.hasRoom) this.#promote(candidate);
      else if (rank >= this.#retired.size) {
        const owner = lightest.shift();
        if (owner === undefined || candidate.known <= requiredAdvantage * owner.weight) return;
        this.#retire(owner, nowMs);
      }
    }
  }

  #admit(tracked: TrackedStatement): TrackedStatement {
    const { key } = tracked;
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    tracked.kept = true;
    this.#byKey.set(key, tracked);
    if (this.#family.hasRoom) this.#promote(tracked);
    else {
      const lightest = this.#candidates.size < this.#family.maxSeries ? undefined : this.#lightestCandidate();
      if (lightest !== undefined) {
        this.#forget(lightest);
        tracked.weight = lightest.weight;
        tracked.error = lightest.weight;
      }
      this.#candidates.add(tracked);
    }
    return tracked;
  }

  #promote(tracked: TrackedStatement): void {
    const { system, statement } = tracked;
    this.#candidates.delete(tracked);
    this.#retired.delete(tracked);
    this.#owners.add(tracked);
    tracked.weight -= tracked.error;
    tracked.error = 0;
    // Where it is displaced and still exported, this is the series it had.
    tracked.series = this.#family.labels(system, statement.summary, statement.fingerprint);
    tracked.retired = undefined;
  }

  #retire(tracked: TrackedStatement, nowMs: number): void {
    this.#owners.delete(tracked);
    this.#candidates.add(tracked);
    this.#retired.add(tracked);
    tracked.retired = tracked.series;
    tracked.retiredMs = nowMs;
    tracked.series = undefined;
  }

  #dropRetired(nowMs: number): void {
    for (const tracked of this.#retired) {
      if (nowMs - tracked.retiredMs < graceMs) continue;
      this.#retired.delete(tracked);
      if (tracked.retired !== undefined) this.#family.remove(...tracked.retired.labelValues);
      tracked.retired = undefined;
    }
  }

  #forget(tracked: TrackedStatement): void {
    tracked.kept = false;
    this.#candidates.delete(tracked);
    this.#byKey.delete(tracked.key);
  }

  #lightestCandidate(): TrackedStatement | undefined {
    let lightest: TrackedStatement | undefined;
    for (const candidate of this.#candidates) {
      if (candidate.retired === undefined && (lightest === undefined || candidate.weight < lightest.weight))
        lightest = candidate;
    }
    return lightest;
  }
}
