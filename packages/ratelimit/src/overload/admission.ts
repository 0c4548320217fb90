import type { IncomingMessage, ServerResponse } from 'node:http';
import { RateLimitError, shown } from '../errors.ts';
import { type HeaderFields, problemType, reducedCapacity, retryAfterSeconds } from '../http-answer.ts';
import type { ConcurrencyLimiter, Permit } from './concurrency-limiter.ts';
import { bodyArrived } from './hold-permit.ts';
import type { LoadShedder } from './load-shedder.ts';

/** What guards a server: either or both. The shedder is asked first, since it costs nothing. */
export interface OverloadGuard<Request> {
  readonly shedder?: LoadShedder;
  readonly limiter?: ConcurrencyLimiter;
  /** The tier of a request, such as `critical` for payments. @defaultValue the second tier */
  readonly tier?: (request: Request) => string | undefined | Promise<string | undefined>;
  /**
   * Paths (exactly so, without query) or requests that are never refused and take no permit, such as health checks and
   * metrics: they are needed most while the server is overloaded.
   */
  readonly exempt?: readonly string[] | ((request: Request) => boolean | Promise<boolean>);
  /** Lower bound of Retry-After, in ms; clients get up to twice that. @defaultValue 1000 */
  readonly retryAfterMs?: number;
}

/** Whether a request may run, and the permit to release when it has. */
interface Admission {
  readonly allowed: boolean;
  readonly permit: Permit | undefined;
}

const free: Admission = Object.freeze({ allowed: true, permit: undefined });
const refused: Admission = Object.freeze({ allowed: false, permit: undefined });

/**
 * Creates the admission check of an adapter; `urlOf` returns the path of a request, with or without a query. With
 * Node's own request and response, the limiter is asked when the body has come: who is slow to send it holds no place.
 * @throws {RateLimitError} `ERR_WEIR_RATELIMIT_OPTIONS`.
 */
export function admissionBy<Request>(
  guard: OverloadGuard<Request>,
  urlOf: (request: Request) => string | undefined,
): (request: Request, incoming?: IncomingMessage, response?: ServerResponse) => Promise<Admission> {
  const { shedder, limiter, tier: tierOf, exempt = [] } = guard;
  if (shedder === undefined && limiter === undefined)
    throw wrong('Expected an overload guard to have a `shedder`, a `limiter` or both.');
  const exempts = exemption(exempt, urlOf);
  return async (request, incoming, response) => {
    const exempted = exempts(request);
    if (typeof exempted === 'boolean' ? exempted : await exempted) return free;
    const tier = tierOf === undefined ? undefined : await tierOf(request);
    if (shedder?.sheds(tier) === true) return refused;
    if (limiter === undefined) return free;
    if (incoming !== undefined && response !== undefined) await bodyArrived(incoming, response);
    const permit = await limiter.acquire(tier === undefined ? {} : { tier });
    return permit === undefined ? refused : { allowed: true, permit };
  };
}

/** The 503 of a refused request. */
export function overloadAnswer({ retryAfterMs = 1000 }: { readonly retryAfterMs?: number }): {
  readonly status: number;
  readonly headers: HeaderFields;
  readonly body: Buffer;
} {
  const seconds = retryAfterSeconds(retryAfterMs * (1 + Math.random()), Math.random);
  return {
    status: 503,
    headers: { 'content-type': problemType, 'retry-after': String(seconds) },
    body: Buffer.from(JSON.stringify(reducedCapacity(seconds))),
  };
}

function exemption<Request>(
  exempt: NonNullable<OverloadGuard<Request>['exempt']>,
  urlOf: (request: Request) => string | undefined,
): (request: Request) => boolean | Promise<boolean> {
  if (typeof exempt === 'function') return exempt;
  if (!Array.isArray(exempt))
    throw wrong(`Expected \`exempt\` to be paths or a function, got ${shown(exempt)}.`);
  for (const path of exempt) {
    if (typeof path !== 'string' || !/^\/[^?#]*$/.test(path))
      throw wrong(`Expected every path of \`exempt\` to begin with / and hold no query, got ${shown(path)}.`);
  }
  const paths = new Set(exempt);
  if (paths.size === 0) return () => false;
  return (request) => {
    const url = urlOf(request) ?? '';
    const query = url.indexOf('?');
    return paths.has(query < 0 ? url : url.slice(0, query));
  };
}

function wrong(message: string): RateLimitError {
  return new RateLimitError('ERR_WEIR_RATELIMIT_OPTIONS', message);
}
