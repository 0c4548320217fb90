import type { Clock } from '@weir/redis';
import { type Cache, isCache } from '../cache.ts';
import { CacheError, invalidOption } from '../errors.ts';
import { checkKey } from '../names.ts';
import { checkKeys } from '../options.ts';
import type { ExchangeSettings, IncomingRequest } from './exchange.ts';
import type { HeaderFields } from './fields.ts';

/** How a server's own responses are cached. */
export interface ResponseCacheOptions {
  /** A cache from `createCache`; its Redis, if any, shares responses between processes. */
  readonly cache: Cache;
  /**
   * What tells resources apart. Default: host (in lower case), path and query. Add the user or tenant if the response depends on
   * them, and join the parts so that no two lists of parts give one key, for instance by `JSON.stringify([tenant, host, url])`:
   * clients choose all of them. A request whose key is no string, or empty, passes uncached with a process warning.
   */
  readonly key?: (request: {
    readonly host: string;
    readonly url: string;
    readonly headers: HeaderFields;
  }) => string;
  /** Freshness of a response that states none. Default 0: not cached. */
  readonly defaultTtlMs?: number;
  /** How long an expired response with a validator of the handler's own is kept, to be validated. Default 600,000. */
  readonly keepStaleMs?: number;
  /** The longest that anything of a resource is kept, whatever it says. Default 3,600,000. */
  readonly maxKeepMs?: number;
  /** Bodies larger than this are passed on uncached. Default 1 MiB. */
  readonly maxBodyBytes?: number;
  /** A response with Set-Cookie: not stored (`refuse`, the default), or stored without the cookie (`strip`). */
  readonly setCookie?: 'refuse' | 'strip';
  /** Name in the Cache-Status field (RFC 9211 §2). Default `weir`. */
  readonly statusName?: string;
  /** Whether Cache-Status tells clients the cache key (RFC 9211 §2.7). Default `false`. */
  readonly exposeKey?: boolean;
  /** Wall-clock milliseconds, compared with Date fields and between processes. Default: `Date`. */
  readonly clock?: Clock;
}

/** `ResponseCacheOptions` with every field present and checked. */
interface ResolvedResponseCacheOptions {
  readonly cache: Cache;
  readonly key: (request: IncomingRequest) => string;
  readonly keepStaleMs: number;
  readonly maxKeepMs: number;
  readonly exposesKey: boolean;
  readonly settings: ExchangeSettings;
}

const optionKeys = [
  'cache',
  'key',
  'defaultTtlMs',
  'keepStaleMs',
  'maxKeepMs',
  'maxBodyBytes',
  'setCookie',
  'statusName',
  'exposeKey',
  'clock',
];

/** Throws on the first option that is unknown or out of range. */
export function resolveResponseCacheOptions(options: ResponseCacheOptions): ResolvedResponseCacheOptions {
  checkKeys('options', options, optionKeys);
  const { cache, clock, setCookie = 'refuse', statusName = 'weir' } = options;
  if (!isCache(cache)) throw invalidOption('cache', 'a cache made by `createCache`', cache);
  const { exposeKey = false, key = defaultKey } = options;
  if (typeof key !== 'function') throw invalidOption('key', 'a function of the request', key);
  if (typeof exposeKey !== 'boolean') throw invalidOption('exposeKey', 'a boolean', exposeKey);
  if (clock !== undefined && typeof clock?.now !== 'function') {
    throw invalidOption('clock', 'an object with `now()`', clock);
  }
  if (setCookie !== 'refuse' && setCookie !== 'strip') {
    throw invalidOption('setCookie', "'refuse' or 'strip'", setCookie);
  }
  if (typeof statusName !== 'string' || !/^[A-Za-z*][\w!#$%&'*+.^`|~:/-]*$/.test(statusName)) {
    throw new CacheError(
      'ERR_WEIR_CACHE_INVALID_OPTION',
      `Expected \`statusName\` to be an HTTP token, got \`${statusName}\`.`,
    );
  }
  return {
    cache,
    key: (request) => {
      const made = key(request);
      checkKey(made);
      return made;
    },
    keepStaleMs: atLeast(0, 'keepStaleMs', options.keepStaleMs ?? 600_000),
    maxKeepMs: atLeast(1, 'maxKeepMs', options.maxKeepMs ?? 3_600_000),
    exposesKey: exposeKey,
    settings: {
      name: statusName,
      maxBodyBytes: atLeast(0, 'maxBodyBytes', options.maxBodyBytes ?? 2 ** 20),
      storage: { defaultTtlMs: atLeast(0, 'defaultTtlMs', options.defaultTtlMs ?? 0), setCookie },
      clock: clock ?? { now: () => Date.now() },
    },
  };
}

// A request target has no space in it, whatever Node lets pass as a host: the last space ends the host. Hosts are compared
// without case (RFC 9110 §4.2.3).
function defaultKey({ host, url }: IncomingRequest): string {
  return `${host.toLowerCase()} ${url}`;
}

function atLeast(min: number, name: string, value: unknown): number {
  if (typeof value === 'number' && value >= min) return value;
  throw invalidOption(name, `a number of at least ${min}`, value);
}
