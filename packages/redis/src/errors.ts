/** Every code this package can attach to an error. Codes are a contract; messages may change. */
export type RedisErrorCode =
  /** The server does not know the script of an EVALSHA. The link sends the source by itself; no caller sees this code. */
  | 'ERR_WEIR_REDIS_NOSCRIPT'
  /** The keys of one command lie in different slots of a cluster. */
  | 'ERR_WEIR_REDIS_CROSSSLOT'
  /** The server answered with any other error; `reply` holds its first word. */
  | 'ERR_WEIR_REDIS_REPLY'
  /** The connection was lost, or there is none now. The command may have run. */
  | 'ERR_WEIR_REDIS_LOST'
  /** The caller has closed the client, or has not connected it. */
  | 'ERR_WEIR_REDIS_CLOSED'
  /** No answer came in time. The command may still run. */
  | 'ERR_WEIR_REDIS_TIMEOUT'
  /** The call was not sent: the breaker is open. */
  | 'ERR_WEIR_REDIS_UNAVAILABLE'
  /** What was passed as a client is none that this package knows. */
  | 'ERR_WEIR_REDIS_INVALID_CLIENT';

/** The only error class this package throws or rejects with. Match on `code`. */
export class RedisError extends Error {
  override readonly name = 'RedisError';
  readonly code: RedisErrorCode;
  /** The first word of the server's error reply (`NOPERM`, `OOM`, `READONLY`, `ERR`, …), for errors that are replies. */
  readonly reply: string | undefined;

  constructor(
    code: RedisErrorCode,
    message: string,
    options: ErrorOptions & { readonly reply?: string } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.reply = options.reply;
  }
}

/** An error reply, as the server wrote it: `NOSCRIPT No matching script …`. */
export function replyError(text: string, cause: unknown): RedisError {
  const reply = /^[A-Z][A-Z0-9_]*(?=[ :]|$)/.exec(text)?.[0] ?? 'ERR';
  const code =
    reply === 'NOSCRIPT'
      ? 'ERR_WEIR_REDIS_NOSCRIPT'
      : reply === 'CROSSSLOT'
        ? 'ERR_WEIR_REDIS_CROSSSLOT'
        : 'ERR_WEIR_REDIS_REPLY';
  return new RedisError(code, `Redis answered: ${text}`, { cause, reply });
}

/** What a client rejects with when there is no connection, or no longer. */
export function lostError(cause: unknown): RedisError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new RedisError('ERR_WEIR_REDIS_LOST', `Redis is not reachable: ${why}`, { cause });
}

/** What a client rejects with after the caller has closed it. */
export function closedError(cause: unknown): RedisError {
  return new RedisError('ERR_WEIR_REDIS_CLOSED', 'The Redis client is closed, or was never connected.', {
    cause,
  });
}

/** What a client rejects with when its own timeout has passed. */
export function timeoutError(cause: unknown): RedisError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new RedisError('ERR_WEIR_REDIS_TIMEOUT', `Redis did not answer in time: ${why}`, { cause });
}
