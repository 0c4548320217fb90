import type { Clock } from '@weir/redis';
import { type Answer, answerFrom } from './answer.ts';
import { cacheStatus, fieldOf, type HeaderFields, type StatusFacts } from './fields.ts';
import {
  type ForwardedFields,
  forwardedPreconditions,
  isNotModified,
  type RequestWishes,
  standsIn,
} from './reuse.ts';
import {
  type ExchangeFacts,
  hasNoEnd,
  type Lifetime,
  lifetimeOf,
  type StoragePolicy,
} from './storability.ts';
import { etagOf, freshenedHeaders, type StoredResponse, storableHeaders } from './stored-response.ts';

/** A request as the frameworks' adapters hand it over. */
export interface IncomingRequest {
  readonly method: string;
  readonly host: string;
  readonly url: string;
  readonly headers: HeaderFields;
}

/** What the exchanges of one response cache have in common. */
export interface ExchangeSettings {
  readonly name: string;
  readonly maxBodyBytes: number;
  readonly storage: StoragePolicy;
  readonly clock: Clock;
}

/** Why and how a request goes to the handler. */
interface ExchangeOptions {
  readonly request: IncomingRequest;
  readonly wishes: RequestWishes;
  readonly status: StatusFacts;
  /** What is stored for the request but may not answer it as it is. */
  readonly stored: StoredResponse | undefined;
  /** Whether the client's preconditions are answered here instead of by the handler. */
  readonly answersPreconditions: boolean;
  /** Why nothing of it is stored, if so. */
  readonly refusal: string | undefined;
  /** Asked when the response turns out storable: whether it may be stored, which another process may be about to do. */
  readonly mayStore: () => boolean;
  /** Stores a response; the exchange is over when it has settled. */
  readonly store: (response: StoredResponse) => Promise<unknown>;
  /** Called once, when the response is stored or will not be, with the reason. */
  readonly onEnd: (refusal: string | undefined) => void;
}

/**
 * What the client is to get: an answer made here; the handler's own with this Cache-Status; or that too while its body is
 * collected on the way out, to be handed to `collected`.
 */
export type Decision =
  | { readonly kind: 'answer'; readonly answer: Answer }
  | { readonly kind: 'pass'; readonly cacheStatus: string }
  | { readonly kind: 'collect'; readonly cacheStatus: string };

/**
 * One request on its way through the handler. The adapter tells it the handler's response, at once (`whole`) or as it
 * streams (`head`, then `collected` once the body has come to its end), and `abandon`s it when neither will happen.
 */
export class Exchange {
  readonly #settings: ExchangeSettings;
  readonly #options: ExchangeOptions;
  readonly #requestedAt: number;
  #isOver = false;
  #isTaken = false;
  #isStoring = false;
  #pending: { readonly status: number; readonly response: HeaderFields; readonly life: Lifetime } | undefined;

  constructor(settings: ExchangeSettings, options: ExchangeOptions) {
    this.#settings = settings;
    this.#options = options;
    this.#requestedAt = settings.clock.now();
  }

  /** Fields to put on the request that goes to the handler; `undefined`: leave it as it is. */
  get forwarded(): ForwardedFields | undefined {
    const { answersPreconditions, stored } = this.#options;
    return answersPreconditions ? forwardedPreconditions(stored) : undefined;
  }

  /** For a refresh in the background: `true` to the first that asks, which is the request made for it. */
  take(): boolean {
    const isFirst = !this.#isTaken;
    this.#isTaken = true;
    return isFirst;
  }

  /** The whole response is at hand, nothing has gone to the client yet. */
  whole(status: number, response: HeaderFields, body: Buffer): Decision {
    const { request, status: facts } = this.#options;
    const early = this.#early(status, response);
    if (early !== undefined) return early;
    const life = body.length > this.#settings.maxBodyBytes ? 'too-large' : this.#judge(status, response);
    if (typeof life !== 'string') {
      const stored = this.#stored(status, response, body, life);
      this.#store(stored);
      // Its own client gets its own cookie.
      const cookies = response['set-cookie'];
      const own =
        cookies === undefined ? stored : { ...stored, headers: { ...stored.headers, 'set-cookie': cookies } };
      return this.#answer(own, { ...facts, stored: true });
    }
    this.#end(life);
    const isKnown =
      status === 200 && this.#options.answersPreconditions && isNotModified(request.headers, response);
    if (!isKnown) return this.#pass(response, { ...facts, detail: life });
    return this.#answer(this.#stored(status, response, body, noLife), {
      ...facts,
      fwdStatus: 200,
      detail: life,
    });
  }

  /** Status and headers are known, the body is about to stream. `length` as Content-Length says, if it does. */
  head(status: number, response: HeaderFields): Decision {
    const { status: facts } = this.#options;
    const early = this.#early(status, response);
    if (early !== undefined) return early;
    const stated = fieldOf(response, 'content-length');
    const length = stated === undefined ? undefined : Number(stated);
    const isTooLarge = length !== undefined && length > this.#settings.maxBodyBytes;
    const refusal = isTooLarge ? 'too-large' : hasNoEnd(response, length === undefined) && 'event-stream';
    const life = refusal || this.#judge(status, response);
    if (typeof life === 'string') {
      this.#end(life);
      return this.#pass(response, { ...facts, detail: life });
    }
    this.#pending = { status, response, life };
    // Of a body of unknown length nobody can say yet whether it will fit.
    const known = length === undefined ? { ...facts, detail: 'streamed' } : { ...facts, stored: true };
    return { kind: 'collect', cacheStatus: this.#cacheStatus(response, known) };
  }

  /** The body that `head` asked for: complete; or `undefined` when it outgrew the bound or broke off (RFC 9111 §3.3). */
  collected(body: Buffer | undefined): void {
    const pending = this.#pending;
    this.#pending = undefined;
    const stated = Number(fieldOf(pending?.response ?? {}, 'content-length') ?? body?.length);
    if (pending === undefined || body === undefined || body.length !== stated) {
      this.#end(body === undefined ? 'too-large' : 'incomplete');
      return;
    }
    this.#store(this.#stored(pending.status, pending.response, body, pending.life));
  }

  /** Nothing more will come: whoever waits for it goes on. Harmless while it is being stored, after the end, and twice. */
  abandon(): void {
    if (!this.#isStoring) this.#end(undefined);
  }

  // What is known of the answer by the status alone: validated, or an error that a stale response stands in for.
  #early(status: number, response: HeaderFields): Decision | undefined {
    const { status: facts, stored, wishes } = this.#options;
    const now = this.#settings.clock.now();
    if (stored === undefined) return undefined;
    if (standsIn(stored, wishes, status, now)) {
      this.#end('status');
      return this.#answer(stored, { ...facts, fwdStatus: status, detail: 'stale-if-error' });
    }
    // RFC 9111 §4.3.3, §4.3.4
    if (status !== 304 || this.forwarded === undefined || !stored.isValidatable) return undefined;
    const headers = freshenedHeaders(stored, response);
    const life = this.#judge(stored.status, headers);
    const fresh = this.#stored(stored.status, headers, stored.body, typeof life === 'string' ? noLife : life);
    if (typeof life === 'string') this.#end(life);
    else this.#store(fresh);
    return this.#answer(fresh, { ...facts, fwdStatus: 304, stored: typeof life !== 'string' });
  }

  #judge(status: number, response: HeaderFields): Lifetime | string {
    const { refusal, request } = this.#options;
    const { clock, storage } = this.#settings;
    if (refusal !== undefined) return refusal;
    const facts: ExchangeFacts = {
      request: request.headers,
      status,
      response,
      requestedAt: this.#requestedAt,
      respondedAt: clock.now(),
    };
    const life = lifetimeOf(facts, storage);
    return typeof life === 'string' || this.#options.mayStore() ? life : 'unclaimed';
  }

  #stored(status: number, response: HeaderFields, body: Buffer, life: Lifetime): StoredResponse {
    const { clock, storage } = this.#settings;
    const headers = storableHeaders(response, storage.setCookie);
    const isValidatable = headers.etag !== undefined || headers['last-modified'] !== undefined;
    const own = this.#options.stored;
    // A 304 that repeats no validator leaves ours what it was.
    const wasOurs = own !== undefined && own.body === body && !own.isValidatable;
    headers.etag ??= etagOf(body);
    headers.date ??= new Date(clock.now()).toUTCString();
    const { ageMs, ...rest } = life;
    return {
      status,
      headers,
      body,
      bornAt: clock.now() - ageMs,
      ...rest,
      isValidatable: isValidatable && !wasOurs,
    };
  }

  #store(response: StoredResponse): void {
    this.#isStoring = true;
    // Not awaited: the client need not wait for the store.
    void this.#options
      .store(response)
      .catch(() => {})
      .finally(() => this.#end(undefined));
  }

  #answer(stored: StoredResponse, status: StatusFacts): Decision {
    const { clock, name } = this.#settings;
    const { request } = this.#options;
    return { kind: 'answer', answer: answerFrom(stored, { request, now: clock.now(), name, status }) };
  }

  #pass(response: HeaderFields, facts: StatusFacts): Decision {
    return { kind: 'pass', cacheStatus: this.#cacheStatus(response, facts) };
  }

  // RFC 9211 §2: a list to which every cache on the way adds its member.
  #cacheStatus(response: HeaderFields, facts: StatusFacts): string {
    const before = fieldOf(response, 'cache-status');
    const own = cacheStatus(this.#settings.name, facts);
    return before === undefined ? own : `${before}, ${own}`;
  }

  #end(refusal: string | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.onEnd(refusal);
  }
}

const noLife: Lifetime = {
  freshMs: 0,
  ageMs: 0,
  staleWhileRevalidateMs: 0,
  staleIfErrorMs: 0,
  mayBeStale: false,
};
