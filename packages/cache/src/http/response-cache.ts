import { LRUCache } from 'lru-cache';
import type { Cache } from '../cache.ts';
import { type Answer, answerFrom, gatewayTimeout } from './answer.ts';
import { Exchange, type ExchangeSettings, type IncomingRequest } from './exchange.ts';
import { fieldOf, type HeaderFields, type StatusFacts, tokensOf } from './fields.ts';
import { type Claim, Generations } from './generations.ts';
import { type ResponseCacheOptions, resolveResponseCacheOptions } from './response-cache-options.ts';
import { ageOf, type RequestWishes, reuseOf, wishesOf } from './reuse.ts';
import { type StoredResponse, variantKey } from './stored-response.ts';

/**
 * An answer, and where it was served stale while it is revalidated, the exchange that a background request is to carry
 * out; or the exchange that the request itself is.
 */
export type Lookup =
  | { readonly kind: 'answer'; readonly answer: Answer; readonly refresh: Exchange | undefined }
  | { readonly kind: 'forward'; readonly exchange: Exchange };

interface Found {
  /** `undefined` while nothing of the resource is stored. */
  readonly generation: string | undefined;
  readonly key: string;
  readonly stored: StoredResponse | undefined;
  readonly fwd: 'uri-miss' | 'vary-miss' | 'stale';
}

/** What a request may store under while its resource has no generation. */
interface Right {
  claim: Claim | undefined;
}

// For how long requests for a resource that turned out unstorable do not wait for each other.
const unstorableMs = 10_000;
// The RFCs decide about freshness, whatever the cache's own defaults are.
const exactly = {
  jitter: 0,
  earlyRefresh: 0,
  staleWhileRevalidateMs: 0,
  graceMs: 0,
  errorBackoffMs: 0,
  softTimeoutMs: Number.POSITIVE_INFINITY,
  hardTimeoutMs: Number.POSITIVE_INFINITY,
  values: 'shared',
} as const;
const maxWaits = 3;
// A handler that hangs must not hold up those who wait for its response.
const maxProductionMs = 30_000;

/**
 * The shared HTTP cache of RFC 9111 in front of a server's own handlers. Storage, limits, coherence and faults are the
 * cache's; this part decides what the RFCs decide. Everything stored of a resource lies under its generation (`Generations`).
 */
export class ResponseCache {
  readonly #cache: Cache;
  readonly #generations: Generations;
  readonly #key: (request: IncomingRequest) => string;
  readonly #keepStaleMs: number;
  readonly #maxKeepMs: number;
  readonly #exposesKey: boolean;
  readonly #settings: ExchangeSettings;
  readonly #producing = new Map<string, PromiseWithResolvers<void>>();
  #hasWarned = false;
  readonly #unstorable = new LRUCache<string, true>({ max: 10_000, ttl: unstorableMs });

  constructor(options: ResponseCacheOptions) {
    const resolved = resolveResponseCacheOptions(options);
    this.#cache = resolved.cache;
    this.#key = resolved.key;
    this.#keepStaleMs = resolved.keepStaleMs;
    this.#maxKeepMs = resolved.maxKeepMs;
    this.#exposesKey = resolved.exposesKey;
    this.#settings = resolved.settings;
    this.#generations = new Generations(resolved.cache, { ...exactly, ttlMs: resolved.maxKeepMs });
  }

  get maxBodyBytes(): number {
    return this.#settings.maxBodyBytes;
  }

  /** Concurrent misses of one response wait for the first of them (collapsed forwarding) instead of repeating its work. */
  async find(request: IncomingRequest): Promise<Lookup> {
    const wishes = wishesOf(request.headers);
    // RFC 9111 §3: only GET and HEAD are defined to be cacheable here.
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return this.#bypass(request, wishes, { fwd: 'method' }, 'method');
    }
    if (wishes.noStore) {
      if (wishes.onlyIfCached) return this.#gatewayTimeout();
      return this.#bypass(request, wishes, { fwd: 'request' }, 'request-no-store');
    }
    const base = this.#baseOf(request);
    if (base === undefined) return this.#bypass(request, wishes, { fwd: 'bypass' }, 'key');
    const shown = this.#exposesKey ? { key: base } : {};
    for (let waits = 0; ; waits += 1) {
      const found = await this.#look(base, request.headers);
      const collapsed = waits > 0 ? { collapsed: true } : {};
      const answer = this.#reuse(base, found, request, wishes, { ...shown, ...collapsed });
      if (answer !== undefined) return answer;
      if (wishes.onlyIfCached) return this.#gatewayTimeout();
      const isFresh = found.stored !== undefined && this.#isFresh(found.stored);
      const status: StatusFacts = { fwd: isFresh ? 'request' : found.fwd, ...shown };
      const leader = this.#producing.get(found.key);
      // RFC 9110 §14: what answers it may be a part, which nobody else can use.
      const isAlone = request.headers.range !== undefined;
      const mayWait = !wishes.noCache && !this.#unstorable.has(base) && waits < maxWaits;
      if (leader === undefined || isAlone || !mayWait) {
        const isLeader = leader === undefined && !isAlone;
        const right: Right = { claim: undefined };
        // At once, so that whoever comes now finds a leader.
        const exchange = this.#exchange(base, found, request, wishes, status, isLeader, right);
        // Of a resource that is known not to be storable nothing is claimed, until a response says otherwise.
        if (found.generation === undefined && request.method === 'GET' && !this.#unstorable.has(base)) {
          right.claim = await this.#generations.claim(base);
        }
        return { kind: 'forward', exchange };
      }
      await leader.promise;
    }
  }

  /** RFC 9111 §4.4: a successful answer to an unsafe method invalidates its URL, and locations of the same origin. */
  async invalidateAfter(request: IncomingRequest, status: number, headers: HeaderFields): Promise<void> {
    if (['GET', 'HEAD', 'OPTIONS', 'TRACE'].includes(request.method) || status < 200 || status >= 400) return;
    const urls = new Set([request.url]);
    const own = URL.parse(`http://${request.host}${request.url}`);
    for (const name of ['location', 'content-location']) {
      const target = own && URL.parse(fieldOf(headers, name) ?? '', own.href);
      if (target && target.host === own.host) urls.add(`${target.pathname}${target.search}`);
    }
    await Promise.all(
      [...urls].map(async (url) => {
        const base = this.#baseOf({ ...request, url });
        if (base !== undefined) await this.#generations.invalidate(base);
      }),
    );
  }

  // What is no key must neither fail a request nor mix up resources.
  #baseOf(request: IncomingRequest): string | undefined {
    try {
      return this.#key(request);
    } catch (error) {
      if (!this.#hasWarned) process.emitWarning(`The response cache's \`key\` failed: ${String(error)}`);
      this.#hasWarned = true;
      return undefined;
    }
  }

  async #look(base: string, headers: HeaderFields): Promise<Found> {
    const generation = await this.#generations.find(base);
    if (generation === undefined) {
      return { generation, key: `http claim ${base}`, stored: undefined, fwd: 'uri-miss' };
    }
    const names = await this.#cache.get<readonly string[]>(varyKey(generation));
    const key = responseKey(variantKey(generation, names ?? [], headers));
    const stored = names === undefined ? undefined : await this.#cache.get<StoredResponse>(key);
    if (stored !== undefined) return { generation, key, stored, fwd: 'stale' };
    return {
      generation,
      key,
      stored,
      fwd: names === undefined || names.length === 0 ? 'uri-miss' : 'vary-miss',
    };
  }

  #reuse(
    base: string,
    found: Found,
    request: IncomingRequest,
    wishes: RequestWishes,
    shown: StatusFacts,
  ): Lookup | undefined {
    const { key, stored } = found;
    const now = this.#settings.clock.now();
    const reuse = stored === undefined ? 'must-forward' : reuseOf(stored, wishes, now);
    if (stored === undefined || reuse === 'must-forward') return undefined;
    // RFC 9211 §2.6: who waited for another's response went forward, though together with it.
    const status: StatusFacts = shown.collapsed ? { fwd: 'uri-miss', ...shown } : { hit: true, ...shown };
    const answer = answerFrom(stored, { request, now, name: this.#settings.name, status });
    // RFC 5861 §3: one refresh at a time.
    const isDue = reuse === 'stale-while-revalidate' && !wishes.onlyIfCached && !this.#producing.has(key);
    if (!isDue) return { kind: 'answer', answer, refresh: undefined };
    const refreshing = { ...request, method: 'GET' };
    const refresh = this.#exchange(base, found, refreshing, wishesOf({}), { fwd: 'stale' }, true);
    return { kind: 'answer', answer, refresh };
  }

  #isFresh(stored: StoredResponse): boolean {
    return ageOf(stored, this.#settings.clock.now()) < stored.freshMs;
  }

  #exchange(
    base: string,
    { generation, key, stored }: Found,
    request: IncomingRequest,
    wishes: RequestWishes,
    status: StatusFacts,
    isLeader: boolean,
    right: Right = { claim: undefined },
  ): Exchange {
    const production = Promise.withResolvers<void>();
    const stepDown = () => {
      if (this.#producing.get(key) === production) this.#producing.delete(key);
      production.resolve();
    };
    const timer = isLeader ? setTimeout(stepDown, maxProductionMs).unref() : undefined;
    if (isLeader) this.#producing.set(key, production);
    const isRange = request.headers.range !== undefined;
    return new Exchange(this.#settings, {
      request,
      wishes,
      status,
      stored,
      answersPreconditions: !isRange && !this.#unstorable.has(base),
      // A HEAD response has no body to store.
      refusal: request.method === 'GET' ? undefined : 'method',
      mayStore: () => {
        this.#unstorable.delete(base);
        return generation !== undefined || right.claim !== undefined;
      },
      store: async (response) => {
        const under = generation ?? (await right.claim?.generation());
        if (under !== undefined) await this.#store(under, request.headers, response);
      },
      onEnd: (refusal) => {
        const isUnstorable = refusal !== undefined && refusal !== 'method' && refusal !== 'unclaimed';
        if (isUnstorable && !isRange) this.#unstorable.set(base, true);
        right.claim?.release();
        clearTimeout(timer);
        stepDown();
      },
    });
  }

  async #store(generation: string, headers: HeaderFields, response: StoredResponse): Promise<void> {
    const { bornAt, freshMs, isValidatable, staleIfErrorMs, staleWhileRevalidateMs } = response;
    const staleMs = Math.max(staleWhileRevalidateMs, staleIfErrorMs, isValidatable ? this.#keepStaleMs : 0);
    const ttlMs = freshMs + staleMs - (this.#settings.clock.now() - bornAt);
    if (ttlMs <= 0) return;
    const names = tokensOf(fieldOf(response.headers, 'vary'));
    const policy = { ...exactly, ttlMs: Math.min(ttlMs, this.#maxKeepMs) };
    await Promise.all([
      this.#cache.set(varyKey(generation), names, policy),
      this.#cache.set(responseKey(variantKey(generation, names, headers)), response, policy),
    ]);
  }

  #bypass(request: IncomingRequest, wishes: RequestWishes, status: StatusFacts, refusal: string): Lookup {
    const exchange = new Exchange(this.#settings, {
      request,
      wishes,
      status,
      stored: undefined,
      answersPreconditions: false,
      refusal,
      mayStore: () => false,
      store: async () => {},
      onEnd: () => {},
    });
    return { kind: 'forward', exchange };
  }

  #gatewayTimeout(): Lookup {
    return { kind: 'answer', answer: gatewayTimeout(this.#settings.name), refresh: undefined };
  }
}

function varyKey(generation: string): string {
  return `http vary ${generation}`;
}

function responseKey(variant: string): string {
  return `http response ${variant}`;
}
