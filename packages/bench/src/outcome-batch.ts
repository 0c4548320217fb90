import type { Outcomes } from './dispatcher.ts';
import type { FailureKind } from './measurement.ts';

/**
 * Outcomes as numbers, so that a worker hands them over without copying. Five to a row: kind, due and end in
 * milliseconds since the epoch, status, bytes. Kind 0 is an answer, 1 a late begin (its end is when it began), others failures.
 */
const kinds: readonly FailureKind[] = ['timeout', 'cut', 'refused', 'malformed', 'dropped', 'unsent'];
const width = 5;
const rows = 2_000;

/** Collects outcomes and hands them over when a batch is full, or on `flush`. */
export function batchOutcomes(
  epochOffsetMs: number,
  send: (batch: Float64Array<ArrayBuffer>) => void,
): Omit<Outcomes, 'redirected'> & { flush(): void } {
  let batch = new Float64Array(rows * width);
  let used = 0;
  const flush = (): void => {
    if (used === 0) return;
    send(batch.slice(0, used));
    used = 0;
  };
  const add = (kind: number, dueMs: number, endMs: number, status: number, bytes: number): void => {
    batch[used] = kind;
    batch[used + 1] = dueMs + epochOffsetMs;
    batch[used + 2] = endMs + epochOffsetMs;
    batch[used + 3] = status;
    batch[used + 4] = bytes;
    used += width;
    if (used < batch.length) return;
    send(batch);
    batch = new Float64Array(rows * width);
    used = 0;
  };
  return {
    answered: (dueMs, endMs, status, bytes) => add(0, dueMs, endMs, status, bytes),
    late: (dueMs, byMs) => add(1, dueMs, dueMs + byMs, 0, 0),
    failed: (dueMs, endMs, kind) => add(2 + kinds.indexOf(kind), dueMs, endMs, 0, 0),
    flush,
  };
}

/** Tells a batch's outcomes in their order. `epochOffsetMs` is that of the reader's clock. */
export function replayOutcomes(batch: Float64Array, epochOffsetMs: number, outcomes: Outcomes): void {
  for (let row = 0; row + width <= batch.length; row += width) {
    const [kind = 0, due = 0, end = 0, status = 0, bytes = 0] = batch.subarray(row, row + width);
    const dueMs = due - epochOffsetMs;
    const endMs = end - epochOffsetMs;
    if (kind === 0) outcomes.answered(dueMs, endMs, status, bytes);
    else if (kind === 1) outcomes.late(dueMs, endMs - dueMs);
    else outcomes.failed(dueMs, endMs, kinds[kind - 2] ?? 'cut');
  }
}
