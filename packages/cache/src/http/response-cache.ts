import { LRUCache } from 'lru-cache';
import type { Cache } from '../cache.ts';
import { CacheError, invalidOption } from '../errors.ts';
import { checkKeys } from '../options.ts';
import { deltaMs, parseCacheControl } from './cache-control.ts';
import { bypassReason, fieldOf, type HeaderFields, type Lifetime, lifetimeOf } from './storability.ts';
import {
  etagOf,
  type StoredResponse,
  storableHeaders,
  type VaryNames,
  variantKey,
  varyNames,
} from './stored-response.ts';

/** How a server's own responses are cached. */
export interface ResponseCacheOptions {
  /** A cache from `createCache`; its Redis, if any, shares responses between processes. */
  readonly cache: Cache;
  /** What tells resources apart. Default: host, path and query. Add the user or tenant if the response depends on them. */
  readonly key?: (request: {
    readonly host: string;
    readonly url: string;
    readonly headers: HeaderFields;
  }) => string;
  /** Freshness of a response that states none. Default 0: not cached. */
  readonly defaultTtlMs?: number;
  /** Bodies larger than this are passed on uncached. Default 1 MiB. */
  readonly maxBodyBytes?: number;
  /** Name in the Cache-Status field (RFC 9211 §2). Default `weir`. */
  readonly statusName?: string;
}

/** A request as the frameworks' adapters hand it over. */
export interface IncomingRequest {
  readonly method: string;
  readonly host: string;
  readonly url: string;
  readonly headers: HeaderFields;
}

/** A response that was just produced. */
export interface ProducedResponse {
  readonly status: number;
  readonly headers: HeaderFields;
  readonly body: Buffer;
}

/** What is to be sent, and what the Cache-Status field says about it. */
export interface Served {
  readonly response: StoredResponse;
  readonly status: string;
  readonly ageSeconds: number;
}

/** A look into the cache: serve what it has, or let the handler produce the response and pass it to `judge`. */
export type Lookup =
  | { readonly kind: 'hit'; readonly served: Served }
  | {
      readonly kind: 'miss';
      /** The Cache-Status field so far. */
      readonly status: string;
      /** May be served instead of an error. */
      readonly stale: Served | undefined;
      /** Called when the response is stored, or will not be: whoever waits for it goes on. Harmless twice. */
      readonly done: () => void;
    };

// For how long requests for a resource that turned out unstorable do not wait for each other.
const unstorableMs = 10_000;

/**
 * The shared HTTP cache of RFC 9111 in front of a server's own handlers. Storage, limits, coherence and faults are the
 * cache's; this part decides what the RFCs decide. Responses lie under the tag of their URL, so that an unsafe
 * method drops every variant at once.
 */
export class ResponseCache {
  readonly #cache: Cache;
  readonly #key: NonNullable<ResponseCacheOptions['key']>;
  readonly #defaultTtlMs: number;
  readonly #name: string;
  readonly #producing = new Map<string, PromiseWithResolvers<void>>();
  readonly #unstorable = new LRUCache<string, true>({ max: 10_000, ttl: unstorableMs });
  readonly maxBodyBytes: number;

  constructor(options: ResponseCacheOptions) {
    checkKeys('options', options, ['cache', 'key', 'defaultTtlMs', 'maxBodyBytes', 'statusName']);
    if (typeof options.cache?.getOrSet !== 'function') {
      throw invalidOption('cache', 'a cache made by `createCache`', options.cache);
    }
    this.#cache = options.cache;
    this.#key = options.key ?? (({ host, url }) => `${host}${url}`);
    this.#defaultTtlMs = options.defaultTtlMs ?? 0;
    this.maxBodyBytes = options.maxBodyBytes ?? 2 ** 20;
    this.#name = options.statusName ?? 'weir';
    if (!/^[A-Za-z*][\w!#$%&'*+.^`|~:/-]*$/.test(this.#name)) {
      throw new CacheError(
        'ERR_WEIR_CACHE_INVALID_OPTION',
        `Expected \`statusName\` to be an HTTP token, got \`${this.#name}\`.`,
      );
    }
  }

  /** Concurrent misses of one resource wait for the first of them (collapsed forwarding) instead of repeating its work. */
  async find(request: IncomingRequest): Promise<Lookup> {
    const bypass = bypassReason(request);
    if (bypass !== undefined) {
      return this.#miss(bypass === 'method' ? 'fwd=method' : 'fwd=request', undefined, () => {});
    }
    const base = this.#key(request);
    const first = await this.#look(base, request);
    const leader = this.#producing.get(base);
    if (first.hit !== undefined && (first.isFresh || leader !== undefined))
      return { kind: 'hit', served: first.hit };
    if (leader !== undefined && !this.#unstorable.has(base)) {
      await leader.promise;
      const second = await this.#look(base, request);
      if (second.hit !== undefined) return { kind: 'hit', served: second.hit };
      return this.#miss(second.reason, second.stale, () => {});
    }
    if (leader !== undefined) return this.#miss(first.reason, first.stale, () => {});
    // RFC 5861 §3: while this one refreshes a stale response, all others are served it.
    const production = Promise.withResolvers<void>();
    this.#producing.set(base, production);
    return this.#miss(first.reason, first.hit ?? first.stale, () => {
      if (this.#producing.get(base) === production) this.#producing.delete(base);
      production.resolve();
    });
  }

  /** Whether a produced response may be stored: how its Cache-Status field goes on, and the way to store it. */
  judge(
    request: IncomingRequest,
    produced: ProducedResponse,
  ): { status: string; store?: () => Promise<void> } {
    // A HEAD response has no body to store.
    const reason = request.method === 'GET' ? this.#unstorableReason(request, produced) : 'method';
    const base = this.#key(request);
    if (typeof reason === 'string') {
      this.#unstorable.set(base, true);
      return { status: `; detail=${reason}` };
    }
    this.#unstorable.delete(base);
    return { status: '; stored', store: () => this.#store(base, request, produced, reason) };
  }

  /** RFC 9111 §4.4: a successful answer to an unsafe method invalidates its URL, and Location of the same origin. */
  async invalidateAfter(request: IncomingRequest, status: number, headers: HeaderFields): Promise<void> {
    if (['GET', 'HEAD', 'OPTIONS', 'TRACE'].includes(request.method) || status < 200 || status >= 400) return;
    const urls = new Set([request.url]);
    for (const name of ['location', 'content-location']) {
      const target = URL.parse(fieldOf(headers, name) ?? '', `http://${request.host}${request.url}`);
      if (target?.host === request.host) urls.add(`${target.pathname}${target.search}`);
    }
    await this.#cache.invalidateTags([...urls].map((url) => this.#key({ ...request, url })));
  }

  async #look(
    base: string,
    { headers }: IncomingRequest,
  ): Promise<{ hit?: Served; isFresh?: boolean; stale?: Served; reason: string }> {
    const names = await this.#cache.get<VaryNames>(varyKey(base));
    if (names === undefined) return { reason: 'fwd=uri-miss' };
    const response = await this.#cache.get<StoredResponse>(responseKey(variantKey(base, names, headers)));
    if (response === undefined) return { reason: names.length === 0 ? 'fwd=uri-miss' : 'fwd=vary-miss' };
    // RFC 9111 §4.2.3, §5.1: a clock that went back must not make the age negative.
    const ageMs = Math.max(0, Date.now() - response.bornAt);
    const leftMs = response.freshMs - ageMs;
    const served = (detail: string): Served => ({
      response,
      status: `${this.#name}; hit; ttl=${Math.floor(leftMs / 1_000)}${detail}`,
      ageSeconds: Math.floor(ageMs / 1_000),
    });
    // RFC 9111 §5.2.1.1, §5.2.1.3: the request may want it younger, or fresh for longer.
    const wishes = parseCacheControl(fieldOf(headers, 'cache-control'));
    const isWanted =
      ageMs <= (deltaMs(wishes, 'max-age') ?? ageMs) && leftMs >= (deltaMs(wishes, 'min-fresh') ?? leftMs);
    if (!isWanted) return { reason: 'fwd=request' };
    if (leftMs > 0) return { hit: served(''), isFresh: true, reason: '' };
    // RFC 5861 §3
    if (-leftMs < response.staleWhileRevalidateMs)
      return { hit: served(''), isFresh: false, reason: 'fwd=stale' };
    // RFC 5861 §4
    if (-leftMs < response.staleIfErrorMs)
      return { stale: served('; detail=stale-if-error'), reason: 'fwd=stale' };
    return { reason: 'fwd=stale' };
  }

  #unstorableReason(request: IncomingRequest, produced: ProducedResponse): Lifetime | string {
    const bypass = bypassReason(request);
    if (bypass === 'request-no-store' || bypass === 'range') return bypass;
    if (produced.body.length > this.maxBodyBytes) return 'too-large';
    return lifetimeOf(request, produced, this.#defaultTtlMs);
  }

  async #store(
    base: string,
    request: IncomingRequest,
    produced: ProducedResponse,
    life: Lifetime,
  ): Promise<void> {
    const names = varyNames(fieldOf(produced.headers, 'vary'));
    const headers = storableHeaders(produced.headers);
    headers.etag ??= etagOf(produced.body);
    headers.date ??= new Date().toUTCString();
    const { ageMs, freshMs, staleIfErrorMs, staleWhileRevalidateMs } = life;
    const stored: StoredResponse = {
      status: produced.status,
      headers,
      body: produced.body,
      bornAt: Date.now() - ageMs,
      freshMs,
      staleWhileRevalidateMs,
      staleIfErrorMs,
    };
    const ttlMs = freshMs - ageMs + Math.max(staleWhileRevalidateMs, staleIfErrorMs);
    const options = { ttlMs, tags: [base] };
    const key = variantKey(base, names, request.headers);
    await Promise.all([
      this.#cache.set(varyKey(base), names, options),
      this.#cache.set(responseKey(key), stored, options),
    ]);
  }

  #miss(reason: string, stale: Served | undefined, done: () => void): Lookup {
    return { kind: 'miss', status: `${this.#name}; ${reason}`, stale, done };
  }
}

function varyKey(base: string): string {
  return `http vary ${base}`;
}

function responseKey(key: string): string {
  return `http response ${key}`;
}
