import dns, { type LookupAddress } from 'node:dns';
import { isIP } from 'node:net';
import { ServiceError } from '../errors.ts';
import { isForbidden, isLoopback } from './address-policy.ts';
import type { AllowList } from './allow-list.ts';

export interface ResolveOptions {
  readonly allow: AllowList;
  /** The setting that holds `allow`, for the repair in the message. */
  readonly setting: string;
  /** Whether loopback needs no entry. */
  readonly withLoopback: boolean;
  readonly resolve?: (host: string) => Promise<LookupAddress[]>;
}

export interface ResolvedHost {
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
