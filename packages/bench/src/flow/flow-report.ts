import { LatencyHistogram, type LatencySummary } from '../latency-histogram.ts';

/** What the checks of a run said. */
export interface CheckCounts {
  readonly passed: number;
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
