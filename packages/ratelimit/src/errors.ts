/** Every code that this package raises, with the sentence that documents it. A denial is a value, never an error. */
export const errorCatalogue = {
  ERR_WEIR_RATELIMIT_OPTIONS: 'An option has a wrong type or value.',
  ERR_WEIR_RATELIMIT_POLICY: 'A policy is wrong in itself or clashes with another.',
  ERR_WEIR_RATELIMIT_KEY: 'A key is empty, too long or not a string.',
  ERR_WEIR_RATELIMIT_COST: 'A cost is not a positive safe integer.',
  ERR_WEIR_RATELIMIT_COST_ABOVE_BURST: 'A cost is above what a policy can ever grant at once.',
  ERR_WEIR_RATELIMIT_DECISION:
    'A refund was asked for something other than a decision, or for a deep copy of one.',
  ERR_WEIR_RATELIMIT_STORE: 'Redis failed during an operation that has no fallback (peek, reset, block, …).',
  ERR_WEIR_RATELIMIT_CLOSED: 'The limiter was used after close().',
  ERR_WEIR_RATELIMIT_OVERLOADED: 'Work was refused by a concurrency limiter or an outbound limiter.',
} as const;

/** A code of {@link errorCatalogue}; stable across minor versions. */
export type RateLimitErrorCode = keyof typeof errorCatalogue;

/** The only error class of this package. `message` carries the repair, `code` is stable, `cause` is the lower error. */
export class RateLimitError extends Error {
  override readonly name = 'RateLimitError';
  readonly code: RateLimitErrorCode;

  constructor(code: RateLimitErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Renders a value for an error message: short, quoted, and safe for symbols and cycles. */
export function shown(value: unknown): string {
  if (typeof value === 'string')
    return `\`${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)}\``;
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object';
  if (typeof value === 'function') return 'a function';
  return `\`${String(value)}\``;
}
