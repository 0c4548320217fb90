/** An answer that was no success, in words for the reader. */
class RequestError extends Error {
  readonly status: number;

  /** @param status HTTP status; 0 if there was no answer */
  constructor(message: string, status: number) {
    super(message);
    this.name = 'RequestError';
    this.status = status;
  }
}

interface ErrorBody {
  readonly error?: string;
  readonly detail?: string;
  readonly title?: string;
}

/**
 * Asks this service for JSON. Fails with a {@link RequestError} that carries the server's own words: `error` of
 * Prometheus' envelope, `detail` or `title` of a problem+json.
 */
export async function requestJson<T>(path: string, init: RequestInit = {}): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new RequestError('The service does not answer. Is it still running?', 0);
  }
  const body = (await response.json().catch(() => ({}))) as T & ErrorBody;
  if (response.ok) return body;
  throw new RequestError(
    body.error ?? body.detail ?? body.title ?? `HTTP ${response.status}`,
    response.status,
  );
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
