/** Prometheus' `errorType`, as its HTTP API answers it. */
export type PromqlErrorType = 'bad_data' | 'execution' | 'timeout' | 'canceled' | 'internal';

/** One code for each `errorType`, and one for a wrong option. Codes are a contract; messages may change. */
export type PromqlErrorCode =
  | 'ERR_WEIR_PROMQL_BAD_DATA'
  | 'ERR_WEIR_PROMQL_EXECUTION'
  | 'ERR_WEIR_PROMQL_TIMEOUT'
  | 'ERR_WEIR_PROMQL_CANCELED'
  | 'ERR_WEIR_PROMQL_INTERNAL'
  | 'ERR_WEIR_PROMQL_INVALID_OPTION';

/** Where in the query's text, in code units; `end` is exclusive. */
export interface Position {
  readonly start: number;
  readonly end: number;
}

/**
 * The only error class this package throws. `bad_data`: the query or an option is wrong, or the query uses what the engine
 * leaves out; `execution`: the query is right, but these data or limits do not allow it; `timeout`, `canceled`: the query
 * was stopped before its end; `internal`: a fault of this package.
 */
export class PromqlError extends Error {
  override readonly name = 'PromqlError';
  readonly code: PromqlErrorCode;
  readonly errorType: PromqlErrorType;
  readonly position: Position | undefined;
  /** The query is valid in Prometheus, but uses what this engine leaves out. */
  readonly unsupported: boolean;

  constructor(
    errorType: PromqlErrorType,
    message: string,
    details: {
      readonly position?: Position;
      readonly cause?: unknown;
      readonly unsupported?: boolean;
      /** @defaultValue the code of the `errorType` */
      readonly code?: PromqlErrorCode;
    } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = details.code ?? `ERR_WEIR_PROMQL_${errorType.toUpperCase() as Uppercase<PromqlErrorType>}`;
    this.errorType = errorType;
    this.position = details.position;
    this.unsupported = details.unsupported ?? false;
  }
}
