import {
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Readable } from 'node:stream';
import { ServiceError } from '../errors.ts';
import { version } from '../version.ts';
import { assertLiteralAllowed, guardedLookup, isForbidden } from './address-policy.ts';
import type { AllowList } from './allow-list.ts';
import { hostOf } from './resolve-allowed.ts';

export interface GuardedRequestOptions {
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
