/** Every code this package can attach to an error. Codes are a contract; messages may change. */
export type CacheErrorCode =
  | 'ERR_WEIR_CACHE_INVALID_OPTION'
  | 'ERR_WEIR_CACHE_INVALID_KEY'
  | 'ERR_WEIR_CACHE_DUPLICATE_DEFINITION'
  | 'ERR_WEIR_CACHE_CLOSED'
  | 'ERR_WEIR_CACHE_LOAD_TIMEOUT'
  | 'ERR_WEIR_CACHE_FLIGHT_EXPIRED'
  | 'ERR_WEIR_CACHE_LOAD_INCOMPLETE'
  | 'ERR_WEIR_CACHE_INVALID_VALUE'
  | 'ERR_WEIR_CACHE_UNSUPPORTED_VALUE'
  | 'ERR_WEIR_CACHE_UNDECODABLE'
  | 'ERR_WEIR_CACHE_REDIS_TIMEOUT'
  | 'ERR_WEIR_CACHE_REDIS_UNAVAILABLE'
  | 'ERR_WEIR_CACHE_REDIS_REFUSED';

/**
 * The only error class this package throws. A load's own error is never wrapped: callers get the very object that
 * the load threw. Match on `code`; the message says how to repair the cause.
 */
export class CacheError extends Error {
  override readonly name = 'CacheError';
  readonly code: CacheErrorCode;

  constructor(code: CacheErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The one shape of an option error: what was expected, what came, how to repair it. */
export function invalidOption(name: string, expected: string, got: unknown, repair: string = ''): CacheError {
  const shown =
    typeof got === 'string'
      ? `'${got}'`
      : typeof got === 'function' || typeof got === 'symbol' || (typeof got === 'object' && got !== null)
        ? `a value of type ${typeof got}`
        : String(got);
  const message = `Expected \`${name}\` to be ${expected}, got \`${shown}\`.${repair && ` ${repair}`}`;
  return new CacheError('ERR_WEIR_CACHE_INVALID_OPTION', message);
}
