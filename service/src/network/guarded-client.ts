import dns, { type LookupAddress, type LookupOptions, lookup as systemLookup } from 'node:dns';
import {
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import type { Readable } from 'node:stream';
import { ServiceError } from '../errors.ts';
import { version } from '../version.ts';
import { type AllowList, isForbidden, isLoopback } from './address-policy.ts';

interface GuardedRequestOptions {
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Uint8Array | Readable;
  readonly signal: AbortSignal;
  /**
   * Limits the addresses that may be reached, for URLs that do not come from the configuration.
   * @defaultValue every address that is not forbidden
   */
  readonly allow?: AllowList;
}

/** An HTTP client that connects to no forbidden address: with keep-alive, without redirects, `weir/<version>` as User-Agent. */
export class GuardedClient {
  readonly #http: HttpAgent;
  readonly #https: HttpsAgent;

  constructor() {
    // `lookup` is an option of each request. One of the agent would replace it.
    this.#http = new HttpAgent({ keepAlive: true });
    this.#https = new HttpsAgent({ keepAlive: true });
  }

  /**
   * Resolves with the head of the answer, whatever its status; the caller reads or resumes the body.
   * @throws ServiceError `ERR_WEIR_SERVICE_ADDRESS_REFUSED`: at once for an address, by rejection for a name.
   */
  request(url: URL, options: GuardedRequestOptions): Promise<IncomingMessage> {
    const { host, port } = hostOf(url);
    const isAllowed = (address: string): boolean =>
      !isForbidden(address) && (options.allow?.allows(host, port, address) ?? true);
    assertLiteralAllowed(url, isAllowed);
    const isTls = url.protocol === 'https:';
    return new Promise((resolve, reject) => {
      const request = (isTls ? httpsRequest : httpRequest)(
        url,
        {
          method: options.method ?? 'GET',
          agent: isTls ? this.#https : this.#http,
          signal: options.signal,
          lookup: guardedLookup(isAllowed),
          headers: { 'user-agent': `weir/${version}`, ...options.headers },
        },
        resolve,
      );
      request.on('error', reject);
      const { body } = options;
      if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) request.end(body);
      else body.on('error', (error) => request.destroy(error)).pipe(request);
    });
  }

  /**
   * Sends a body. Resolves when the receiver answers 2xx.
   * @throws DeliveryError for any other status; `isPermanent` when a retry cannot succeed.
   */
  async post(url: URL, options: GuardedRequestOptions & { readonly timeoutMs: number }): Promise<void> {
    const signal = AbortSignal.any([options.signal, AbortSignal.timeout(options.timeoutMs)]);
    const response = await this.request(url, { ...options, method: 'POST', signal });
    response.resume();
    const status = response.statusCode ?? 0;
    if (status < 200 || status > 299) throw new DeliveryError(url.host, status);
  }

  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }
}

/** A receiver refused what was sent. */
export class DeliveryError extends ServiceError {
  readonly status: number;

  constructor(host: string, status: number) {
    super('ERR_WEIR_SERVICE_DELIVERY', `${host} answered ${status}.`);
    this.status = status;
  }

  /** Whether a retry cannot succeed: after any 4xx but 429. */
  get isPermanent(): boolean {
    return this.status >= 400 && this.status < 500 && this.status !== 429;
  }
}

/** @throws ServiceError `ERR_WEIR_SERVICE_ADDRESS_REFUSED` when the URL's host is itself an address that is not allowed. */
export function assertLiteralAllowed(
  url: URL,
  isAllowed: (address: string) => boolean = (address) => !isForbidden(address),
): void {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0 && !isAllowed(host)) throw refusal(host, host);
}

type Resolve = (
  hostname: string,
  options: LookupOptions & { all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/**
 * A `lookup` for sockets that resolves a name once and refuses it when any of its addresses is not allowed. The socket connects
 * to the checked addresses, so that a second answer of the name server cannot replace them.
 */
export function guardedLookup(
  isAllowed: (address: string) => boolean = (address) => !isForbidden(address),
  resolve: Resolve = systemLookup,
): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, '', 4);
      const refused = addresses.find(({ address }) => !isAllowed(address));
      if (refused !== undefined) return callback(refusal(hostname, refused.address), '', 4);
      const [first] = addresses;
      if (first === undefined) return callback(refusal(hostname, 'no address'), '', 4);
      if (options.all === true) return callback(null, addresses);
      return callback(null, first.address, first.family);
    });
  };
}

export interface ResolveOptions {
  readonly allow: AllowList;
  /** The setting that holds `allow`, for the repair in the message. */
  readonly setting: string;
  /** Whether loopback is allowed without an entry. */
  readonly withLoopback: boolean;
  readonly resolve?: (host: string) => Promise<LookupAddress[]>;
}

interface ResolvedHost {
  readonly host: string;
  readonly port: string;
  readonly addresses: readonly LookupAddress[];
}

/**
 * The addresses of a URL's host, all of them allowed. Link-local and metadata addresses never are.
 * @throws ServiceError `ERR_WEIR_SERVICE_ADDRESS_REFUSED`
 */
export async function resolveAllowed(target: string, options: ResolveOptions): Promise<ResolvedHost> {
  const { allow, setting, withLoopback } = options;
  const { resolve = (name: string) => dns.promises.lookup(name, { all: true }) } = options;
  const { host, port } = hostOf(new URL(target));
  const family = isIP(host);
  const addresses = family === 0 ? await resolve(host) : [{ address: host, family }];
  for (const { address } of addresses) {
    const isAllowed =
      (withLoopback && isLoopback(address)) || (allow.allows(host, port, address) && !isForbidden(address));
    if (!isAllowed) {
      const list = [...(withLoopback ? ['loopback'] : []), ...(allow.isEmpty ? [] : [allow.toString()])];
      throw new ServiceError(
        'ERR_WEIR_SERVICE_ADDRESS_REFUSED',
        `Refused ${host}:${port} at ${address}: allowed are ${list.join(', ') || 'no hosts'}. Add it to \`${setting}\` if it may be reached.`,
      );
    }
  }
  if (addresses.length === 0)
    throw new ServiceError('ERR_WEIR_SERVICE_ADDRESS_REFUSED', `${host} has no address.`);
  return { host, port, addresses };
}

/** A URL's host without brackets, in lower case, and its port, written or not. */
export function hostOf(url: URL): { readonly host: string; readonly port: string } {
  return {
    host: url.hostname.replace(/^\[|\]$/g, '').toLowerCase(),
    port: url.port || (url.protocol === 'https:' ? '443' : '80'),
  };
}

function refusal(host: string, address: string): ServiceError {
  return new ServiceError(
    'ERR_WEIR_SERVICE_ADDRESS_REFUSED',
    isForbidden(address)
      ? `refused to connect to ${host}: ${address} is link-local, a metadata service or no unicast address.`
      : `refused to connect to ${host}: ${address} is on no allow-list.`,
  );
}
