/** Prometheus' `errorType`, as its HTTP API answers it. */
export type PromqlErrorType = 'bad_data' | 'execution' | 'timeout' | 'canceled' | 'internal';

/** Where in the query's text, in code units; `end` is exclusive. */
export interface Position {
  readonly start: number;
  readonly end: number;
}

/**
 * The one error a query ends with. `bad_data`: the query itself is wrong or uses what the engine leaves out;
 * `execution`: right, but these data or limits do not allow it; `timeout`, `canceled`: stopped on the way.
 */
export class PromqlError extends Error {
  override readonly name = 'PromqlError';
  readonly errorType: PromqlErrorType;
  readonly position: Position | undefined;
  /** The query is Prometheus', but uses what this engine leaves out. */
  readonly unsupported: boolean;

  constructor(
    errorType: PromqlErrorType,
    message: string,
    details: { readonly position?: Position; readonly cause?: unknown; readonly unsupported?: boolean } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.errorType = errorType;
    this.position = details.position;
    this.unsupported = details.unsupported ?? false;
  }
}
