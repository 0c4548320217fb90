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
  /** For addresses that others than the configuration named: nothing else is connected to [what is not forbidden]. */
  readonly allow?: AllowList;
}

/** HTTP to addresses of the configuration: keep-alive, no redirects, no forbidden address, an honest User-Agent. */
export class GuardedClient {
  readonly #http: HttpAgent;
  readonly #https: HttpsAgent;

  constructor() {
    // `lookup` comes with each request: an agent's own would win over it.
    this.#http = new HttpAgent({ keepAlive: true });
    this.#https = new HttpsAgent({ keepAlive: true });
  }

  /**
   * Resolves with the head of the answer, whatever its status; the caller reads or resumes the body.
   * @throws ServiceError `ERR_WEIR_SERVICE_ADDRESS_REFUSED`, here for an address and by rejection for a name.
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
   * Sends a body and wants a 2xx.
   * @throws ServiceError `ERR_WEIR_SERVICE_DELIVERY` for any other status; `isPermanent` when trying again is of no use.
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

/** A receiver that did not take what was sent. */
export class DeliveryError extends ServiceError {
  readonly status: number;

  constructor(host: string, status: number) {
    super('ERR_WEIR_SERVICE_DELIVERY', `${host} answered ${status}.`);
    this.status = status;
  }

  /** Whether the receiver will never take it: any 4xx but 429. */
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
 * A `lookup` for sockets that resolves once, refuses the name when any of its addresses is forbidden, and hands the
 * socket the addresses it checked: what was checked is what is connected to, so a second answer of the name server is
 * never asked for.
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
  /** Whether loopback needs no entry. */
  readonly withLoopback: boolean;
  readonly resolve?: (host: string) => Promise<LookupAddress[]>;
}

interface ResolvedHost {
  readonly host: string;
  readonly port: string;
  readonly addresses: readonly LookupAddress[];
}

/**
 * The addresses behind a URL, when every one of them is allowed; link-local and metadata addresses never are.
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
