/** Every code of {@link ServiceError}. */
const errorCodes = [
  'ERR_WEIR_SERVICE_CONFIG_MISSING',
  'ERR_WEIR_SERVICE_CONFIG_INVALID',
  'ERR_WEIR_SERVICE_ARGUMENTS',
  'ERR_WEIR_SERVICE_LISTEN',
  'ERR_WEIR_SERVICE_STORE_OPEN',
  'ERR_WEIR_SERVICE_STORE_FULL',
  'ERR_WEIR_SERVICE_ENGINE_STOPPED',
  'ERR_WEIR_SERVICE_ENGINE_BUSY',
  'ERR_WEIR_SERVICE_EXPOSITION',
  'ERR_WEIR_SERVICE_SCRAPE',
  'ERR_WEIR_SERVICE_SCENARIO',
  'ERR_WEIR_SERVICE_ADDRESS_REFUSED',
  'ERR_WEIR_SERVICE_DELIVERY',
  'ERR_WEIR_SERVICE_PUSH',
  'ERR_WEIR_SERVICE_DISCOVERY',
  'ERR_WEIR_SERVICE_REQUEST',
] as const;

export type ErrorCode = (typeof errorCodes)[number];

/** An error that a user caused or can repair. Its message is complete, so callers print it without a stack. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/** One line for any thrown value, without a stack. */
export function messageOf(thrown: unknown): string {
  if (thrown instanceof AggregateError && thrown.errors.length > 0) return messageOf(thrown.errors[0]);
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return text.replace(/\s*\n\s*/g, ' ');
}
