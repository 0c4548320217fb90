import { LatencyHistogram, type LatencySummary } from '../latency-histogram.ts';

/** What the checks of a run said: of every step that was due in the measured time, made or not. */
export interface CheckCounts {
  readonly passed: number;
  /** A step that got no answer, or could not be sent, counts here: its check could not be made. */
  readonly failed: number;
  /** How often each check failed, as `step: reason`. At most 100 different ones; the rest is under `other`. */
  readonly failures: Readonly<Record<string, number>>;
}

/** What one step of a flow showed. */
export interface StepSummary {
  /** `flow / step`. */
  readonly name: string;
  readonly answered: number;
  readonly latencyMs: LatencySummary;
}

const maxReasons = 100;

/** Collects what flows show beyond their requests. Bounded, whatever the answers say. */
export class FlowReport {
  readonly #steps = new Map<string, LatencyHistogram>();
  readonly #failures = new Map<string, number>();
  #passed = 0;
  #failed = 0;
  #sessions = 0;
  #broken = 0;

  step(name: string, latencyMs: number): void {
    let histogram = this.#steps.get(name);
    if (histogram === undefined) {
      histogram = new LatencyHistogram();
      this.#steps.set(name, histogram);
    }
    histogram.record(latencyMs);
  }

  passed(): void {
    this.#passed += 1;
  }

  failed(reason: string): void {
    this.#failed += 1;
    const key = this.#failures.has(reason) || this.#failures.size < maxReasons ? reason : 'other';
    this.#failures.set(key, (this.#failures.get(key) ?? 0) + 1);
  }

  /** A session was due in the measured time. */
  sessionBegan(): void {
    this.#sessions += 1;
  }

  /** An unanswered step, a failed check or a missing value ended such a session early. */
  sessionBroke(): void {
    this.#broken += 1;
  }

  sessions(): { readonly begun: number; readonly broken: number } {
    return { begun: this.#sessions, broken: this.#broken };
  }

  checks(): CheckCounts {
    return { passed: this.#passed, failed: this.#failed, failures: Object.fromEntries(this.#failures) };
  }

  steps(): StepSummary[] {
    return [...this.#steps].map(([name, histogram]) => ({
      name,
      answered: histogram.count,
      latencyMs: histogram.summary(),
    }));
  }
}
