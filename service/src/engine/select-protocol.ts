import type { MessagePort } from 'node:worker_threads';
import type { MatchOperator } from '@weir/promql';

/** What a query's thread asks of the store's thread. */
export interface SelectRequest {
  readonly id: number;
  readonly matchers: readonly (readonly [name: string, operator: MatchOperator, value: string])[];
  readonly startMs: number;
  readonly endMs: number;
  readonly maxSeries: number;
  readonly maxSamples: number;
  /** Not 0 once the query is given up. */
  readonly canceled: Int32Array;
}

/** Compressed chunks of many series, as columns. */
export interface PackedPieces {
  readonly ids: Uint32Array;
  readonly bases: Float64Array;
  readonly samples: Uint32Array;
  readonly lengths: Uint32Array;
  readonly bytes: Uint8Array;
  readonly isSealed: boolean;
}

export type SelectReply =
  | {
      readonly type: 'series';
      readonly id: number;
      readonly ids: Uint32Array;
      /** Labels of the series that this thread has not been told yet: names and values in turn. */
      readonly labels: readonly (readonly [id: number, pairs: readonly string[]])[];
      /** Forget all labels told before. */
      readonly isFresh: boolean;
    }
  | { readonly type: 'pieces'; readonly id: number; readonly pieces: PackedPieces }
  | { readonly type: 'done'; readonly id: number }
  | { readonly type: 'error'; readonly id: number; readonly message: string };

/** What the store's thread is told of a new query's thread. `posted` counts its replies, for a reader that sleeps. */
export interface AttachReader {
  readonly type: 'attach';
  readonly port: MessagePort;
  readonly posted: Int32Array;
}
