import type { Outcomes } from './dispatcher.ts';
import type { Measurement } from './measurement.ts';
import type { ResolvedScenario } from './scenario.ts';
import type { TlsTrust } from './tls-trust.ts';

/** A load that needs no more time to begin: its feeds are read, its threads run. Only then does the clock start. */
export type ReadyLoad = (options: LoadOptions) => Promise<void>;

/** What every kind of load is given. */
export interface LoadOptions {
  readonly scenario: ResolvedScenario;
  readonly trust: TlsTrust | undefined;
  readonly measurement: Measurement;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Stops at once: what is in flight is dropped uncounted. */
  readonly signal: AbortSignal;
  /** Told of every answer that points elsewhere. Nothing follows it. */
  readonly redirected: (location: string) => void;
}

/** Counts an open loop's outcomes, whose latency begins when a request was due. */
export function countOutcomes({
  measurement,
  redirected,
}: Pick<LoadOptions, 'measurement' | 'redirected'>): Outcomes {
  return {
    answered: (dueMs, endMs, status, bytes) =>
      measurement.answered(dueMs, endMs - dueMs, endMs, status, bytes),
    failed: (dueMs, endMs, kind) => measurement.failed(dueMs, endMs, kind),
    late: (dueMs, byMs) => measurement.late(dueMs, byMs),
    redirected,
  };
}
