import dns, { type LookupAddress } from 'node:dns';
import { createRequire } from 'node:module';
import { BlockList, isIP } from 'node:net';
import { ServiceError } from '../errors.ts';
import { isForbidden } from '../network/address-policy.ts';

/** What of a scenario its limits are about. */
export interface LoadRequest {
  readonly target: string;
  readonly connections: number;
  readonly durationMs: number;
  readonly warmupMs: number;
}

export interface LoadLimits {
  /** Hosts besides loopback: `host`, `host:port`, a CIDR, or a CIDR with `:port`. */
  readonly allow: readonly string[];
  readonly maxConnections: number;
  readonly maxDurationMs: number;
}

/** @throws ServiceError `ERR_WEIR_SERVICE_SCENARIO` when the scenario asks for more than the limits give. */
export function assertWithinLimits(request: LoadRequest, limits: LoadLimits): void {
  const durationMs = request.durationMs + request.warmupMs;
  if (request.connections > limits.maxConnections) {
    throw new ServiceError(
      'ERR_WEIR_SERVICE_SCENARIO',
      `The scenario wants ${request.connections} connections, \`load.maxConnections\` is ${limits.maxConnections}.`,
    );
  }
  if (durationMs > limits.maxDurationMs) {
    throw new ServiceError(
      'ERR_WEIR_SERVICE_SCENARIO',
      `The scenario wants ${durationMs} ms of load, \`load.maxDuration\` is ${limits.maxDurationMs} ms.`,
    );
  }
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/**
 * The addresses behind a target, when every one of them may be loaded.
 * @throws ServiceError `ERR_WEIR_SERVICE_ADDRESS_REFUSED`
 */
export async function resolveAllowed(
  target: string,
  allow: readonly string[],
  resolve: (host: string) => Promise<LookupAddress[]> = (host) => dns.promises.lookup(host, { all: true }),
): Promise<{ readonly host: string; readonly port: string; readonly addresses: readonly LookupAddress[] }> {
  const url = new URL(target);
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  const family = isIP(host);
  const addresses = family === 0 ? await resolve(host) : [{ address: host, family }];
  const isNamed = allow.some(
    (entry) => entry.toLowerCase() === host || entry.toLowerCase() === `${host}:${port}`,
  );
  for (const { address } of addresses) {
    const isAllowed =
      isIn(loopback, address) || ((isNamed || isInNetworks(address, port, allow)) && !isForbidden(address));
    if (isAllowed) continue;
    throw new ServiceError(
      'ERR_WEIR_SERVICE_ADDRESS_REFUSED',
      `Refused to load ${target} at ${address}: allowed are loopback${allow.map((entry) => `, ${entry}`).join('')}. Add it to \`load.allow\` if you may load it.`,
    );
  }
  if (addresses.length === 0)
    throw new ServiceError('ERR_WEIR_SERVICE_ADDRESS_REFUSED', `${host} has no address.`);
  return { host, port, addresses };
}

function isInNetworks(address: string, port: string, allow: readonly string[]): boolean {
  return allow.some((entry) => {
    const match = /^(.+)\/(\d{1,3})(?::(\d+))?$/.exec(entry);
    if (match === null || (match[3] !== undefined && match[3] !== port)) return false;
    const network = (match[1] as string).replace(/^\[|\]$/g, '');
    const family = isIP(network);
    if (family === 0 || Number(match[2]) > (family === 4 ? 32 : 128)) return false;
    const list = new BlockList();
    list.addSubnet(network, Number(match[2]), family === 4 ? 'ipv4' : 'ipv6');
    return isIn(list, address);
  });
}

function isIn(list: BlockList, address: string): boolean {
  return list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

/**
 * From here on this process resolves `host` to the checked addresses and no other name at all, so that a name server
 * that changes its answer changes nothing. For the load process only: it replaces `dns.lookup`, which sockets use.
 */
export function pinLookups(host: string, addresses: readonly LookupAddress[]): void {
  const lookup = ((name: string, given: unknown, last?: unknown) => {
    const callback = (last ?? given) as (error: Error | null, address: unknown, family?: number) => void;
    const options = typeof given === 'object' && given !== null ? (given as { all?: boolean }) : {};
    if (name.toLowerCase() !== host)
      callback(new Error(`${name} is not the target of this benchmark.`), '', 0);
    else if (options.all === true) callback(null, [...addresses]);
    else callback(null, addresses[0]?.address, addresses[0]?.family);
  }) as unknown as typeof dns.lookup;
  const mutable = createRequire(import.meta.url)('node:dns') as { lookup: typeof dns.lookup };
  mutable.lookup = lookup;
}
