import type { MessagePort } from 'node:worker_threads';
import type { ApiData, QueryLimits, WireError } from './engine-protocol.ts';

export interface InstantRequest {
  readonly query: string;
  readonly timeMs: number;
  readonly timeoutMs: number | undefined;
  /** Series in the answer, 0 for no bound. */
  readonly limit: number;
}

export interface RangeRequest {
  readonly query: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
  readonly timeoutMs: number | undefined;
  readonly limit: number;
}

export type QueryJob =
  | { readonly kind: 'instant'; readonly request: InstantRequest }
  | { readonly kind: 'range'; readonly request: RangeRequest };

/** What the main thread sends a query's thread, one at a time. */
export interface QueryOrder {
  readonly job: QueryJob;
  readonly timeoutMs: number;
  /** Set to anything but 0 to give the query up. */
  readonly canceled: Int32Array;
}

export type QueryReply =
  | { readonly type: 'result'; readonly result: ApiData }
  | { readonly type: 'error'; readonly error: WireError };

/** What a query's thread starts with. */
export interface QueryWorkerData {
  readonly store: MessagePort;
  readonly posted: Int32Array;
  readonly limits: QueryLimits;
}
