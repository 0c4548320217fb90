import { type LookupAddress, type LookupOptions, lookup as systemLookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { ServiceError } from '../errors.ts';

/**
 * Addresses that nothing of ours may be sent to, whatever a configuration or a name server says: link-local, where cloud
 * metadata services live; those services' other addresses; unspecified, multicast and broadcast.
 */
const forbidden = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['169.254.0.0', 16],
  ['100.100.100.200', 32],
  ['192.0.0.192', 32],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const)
  forbidden.addSubnet(network, prefix, 'ipv4');
for (const [network, prefix] of [
  ['::', 128],
  ['fe80::', 10],
  ['fd00:ec2::', 32],
  ['ff00::', 8],
] as const)
  forbidden.addSubnet(network, prefix, 'ipv6');

/** Whether an address, in any of its written forms, is one of those. Text that is no address counts as one. */
export function isForbidden(address: string): boolean {
  const plain = embeddedIpv4(address) ?? address;
  const family = isIP(plain);
  if (family === 0) return true;
  return forbidden.check(plain, family === 4 ? 'ipv4' : 'ipv6');
}

/** The IPv4 address inside an IPv4-mapped (::ffff:0:0/96) or NAT64 (64:ff9b::/96) one, or a 6to4 one (2002::/16). */
export function embeddedIpv4(address: string): string | undefined {
  if (isIP(address) !== 6) return undefined;
  const groups = expandIpv6(address);
  const quad = (high: number, low: number): string => [high >> 8, high & 255, low >> 8, low & 255].join('.');
  const tail = quad(groups[6] as number, groups[7] as number);
  const isZero = (from: number, to: number): boolean => groups.slice(from, to).every((group) => group === 0);
  if (isZero(0, 5) && groups[5] === 0xffff) return tail;
  if (groups[0] === 0x64 && groups[1] === 0xff9b && isZero(2, 6)) return tail;
  if (groups[0] === 0x2002) return quad(groups[1] as number, groups[2] as number);
  return undefined;
}

function expandIpv6(address: string): number[] {
  // WHATWG's parser normalises a dotted tail to hexadecimal groups.
  const host = new URL(`http://[${address.split('%')[0]}]/`).hostname.slice(1, -1);
  const [head = '', tail] = host.split('::');
  const parse = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const left = parse(head);
  if (tail === undefined) return left;
  const right = parse(tail);
  return [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
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

/** @throws ServiceError `ERR_WEIR_SERVICE_ADDRESS_REFUSED` when the URL's host is itself an address that is not allowed. */
export function assertLiteralAllowed(
  url: URL,
  isAllowed: (address: string) => boolean = (address) => !isForbidden(address),
): void {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0 && !isAllowed(host)) throw refusal(host, host);
}

function refusal(host: string, address: string): ServiceError {
  return new ServiceError(
    'ERR_WEIR_SERVICE_ADDRESS_REFUSED',
    isForbidden(address)
      ? `refused to connect to ${host}: ${address} is link-local, a metadata service or no unicast address.`
      : `refused to connect to ${host}: ${address} is on no allow-list.`,
  );
}
