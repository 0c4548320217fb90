/**
 * Which statements have series of their own: the `maxStatements` that took the most time, with a half-life. All others share the overflow series.
 *
 * While there is room, each new statement receives a series. Past that, a Space-Saving sketch (Metwally, Agrawal, El Abbadi, 2005) follows as many
 * candidates again: a new one replaces the lightest and inherits its weight as its possible error, so a candidate's known weight is
 * `weight - error`. A candidate whose known weight exceeds twice that of the lightest owner displaces it.
 *
 * No counter goes backwards: a displaced series is exported unchanged for `graceMs`, while its observations go to the overflow series, and only then
 * leaves. Every scraper that scrapes at least once in that time finds each observation in exactly one series, so sums of rates stay right.
 */
import type { Histogram, HistogramSeries } from '../instruments/histogram.ts';
import type { Clock } from '../registry.ts';
import type { Statement } from './statements.ts';

const halfLifeMs = 300_000;
const rebalanceMs = 10_000;
const graceMs = 120_000;
const requiredAdvantage = 2;

/** One fingerprint of one system. */
export class TrackedStatement {
  readonly system: string;
  readonly statement: Statement;
  /** Seconds, halved every five minutes. Up to `error` of them may belong to other statements. */
  weight = 0;
  error = 0;
  /** Its own series, while it owns one. */
  series: HistogramSeries | undefined = undefined;
  /** The series it owned until `retiredMs`, exported until the grace period ends. */
  retired: HistogramSeries | undefined = undefined;
  retiredMs = 0;
  /** Whether it is followed; if not, it must be looked up again. */
  kept = false;
  /** Whether it was slow before; only then its callers' stacks are captured. */
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

/** Assigns series to statements. */
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

  /** The tracked statement; it is followed from its first observation on. */
  track(system: string, statement: Statement): TrackedStatement {
    const fresh = new TrackedStatement(system, statement);
    return this.#byKey.get(fresh.key) ?? fresh;
  }

  /** Counts one execution; returns the series that counts it. */
  observe(tracked: TrackedStatement, seconds: number): HistogramSeries {
    const current = tracked.kept ? tracked : this.#admit(tracked);
    current.weight += seconds;
    const series = current.series ?? this.#family.overflow;
    series.observe(seconds);
    return series;
  }

  /** Moves series from the lightest owners to the heaviest candidates; call it before each scrape. */
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
      // Places about to become free belong to the heaviest candidates, one of which may be the previous owner.
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
    // For a displaced statement that is still exported, this is the series it had.
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
