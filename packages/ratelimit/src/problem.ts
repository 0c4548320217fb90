/** An RFC 9457 body. Its media type is {@link PROBLEM_TYPE}. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** Names of the policies that denied. */
  readonly 'violated-policies'?: readonly string[];
}

export const PROBLEM_TYPE = 'application/problem+json';

const REGISTRY = 'https://iana.org/assignments/http-problem-types';

/** 429 of draft-ietf-httpapi-ratelimit-headers: the client used its quota up. */
export function quotaExceeded(violated: readonly string[], retryAfterSeconds: number): Problem {
  return {
    type: `${REGISTRY}#quota-exceeded`,
    title: 'Request cannot be satisfied as assigned quota has been exceeded',
    status: 429,
    detail: `Retry after ${retryAfterSeconds} s.`,
    'violated-policies': violated,
  };
}

/** 503 of draft-ietf-httpapi-ratelimit-headers: the server has less to give for a while. */
export function reducedCapacity(retryAfterSeconds: number): Problem {
  return {
    type: `${REGISTRY}#temporary-reduced-capacity`,
    title: 'Request cannot be satisfied due to temporary server capacity constraints',
    status: 503,
    detail: `Retry after ${retryAfterSeconds} s.`,
  };
}

/** 400 for a request whose limit key cannot be made, such as an oversized or missing credential. */
export function unusableKey(): Problem {
  return {
    type: 'about:blank',
    title: 'Bad Request',
    status: 400,
    detail: 'The client cannot be identified.',
  };
}

/** 400 for a request whose cost is not a number that could ever be granted. */
export function costTooHigh(): Problem {
  return {
    type: 'about:blank',
    title: 'Bad Request',
    status: 400,
    detail: 'The request asks for more at once than any quota grants. Split it.',
  };
}

/** 403 for a client of the deny list. */
export function refusedClient(): Problem {
  return { type: 'about:blank', title: 'Forbidden', status: 403, detail: 'This client is refused.' };
}
