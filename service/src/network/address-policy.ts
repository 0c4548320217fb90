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
  ['169.254.0.0', 16], // AWS, Azure, Google and most others
  ['168.63.129.16', 32], // Azure WireServer
  ['100.100.100.200', 32], // Alibaba
  ['192.0.0.192', 32], // Oracle
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const)
  forbidden.addSubnet(network, prefix, 'ipv4');
for (const [network, prefix] of [
  ['::', 128],
  ['fe80::', 10],
  ['fd00:ec2::', 32], // AWS
  ['fd20:ce::', 32], // Google
  ['fd00:c1::', 32], // Oracle
  ['fd00:42::', 32], // Scaleway
  ['fd00:a9fe:a9fe::', 48], // Akamai
  ['ff00::', 8],
] as const)
  forbidden.addSubnet(network, prefix, 'ipv6');

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether an address is this machine's own. */
export function isLoopback(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && loopback.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

/**
 * Whether an address, in any of its written forms, is one of those, or an IPv6 address that a gateway may translate to one.
 * Text that is no address counts as one.
 */
export function isForbidden(address: string): boolean {
  const family = isIP(address);
  if (family === 0) return true;
  // `::1` has the form of an IPv4-compatible address.
  if (isLoopback(address)) return false;
  const plain = address.split('%')[0] as string;
  if (forbidden.check(plain, family === 4 ? 'ipv4' : 'ipv6')) return true;
  return embeddedIpv4(plain).some((inner) => forbidden.check(inner, 'ipv4'));
}

/**
 * Where an address of the local NAT64 prefix 64:ff9b:1::/48 may hold its IPv4 address, by the length that the network chose:
 * 48, 56, 64 or 96 bits. Byte 8 is skipped (RFC 6052 section 2.2).
 */
const nat64Bytes = [
  [6, 7, 9, 10],
  [7, 9, 10, 11],
  [9, 10, 11, 12],
  [12, 13, 14, 15],
] as const;

/**
 * Every IPv4 address that an IPv6 one may stand for: IPv4-mapped, -compatible and -translated, NAT64 (RFC 6052, RFC 8215),
 * 6to4 (RFC 3056), Teredo (RFC 4380) and ISATAP (RFC 5214).
 */
function embeddedIpv4(address: string): string[] {
  if (isIP(address) !== 6) return [];
  const groups = expandIpv6(address);
  const bytes = groups.flatMap((group) => [group >> 8, group & 255]);
  const at = (places: readonly number[], mask = 0): string =>
    places.map((place) => (bytes[place] as number) ^ mask).join('.');
  const tail = [12, 13, 14, 15];
  const [g0, g1, g2, , g4, g5] = groups as [number, number, number, number, number, number];
  const isZeroUntil = (end: number): boolean => groups.slice(0, end).every((group) => group === 0);
  if (isZeroUntil(6) || (isZeroUntil(5) && g5 === 0xffff)) return [at(tail)];
  if (isZeroUntil(4) && g4 === 0xffff && g5 === 0) return [at(tail)];
  if (g0 === 0x64 && g1 === 0xff9b && g2 === 1)
    // Zeros are the padding of another length.
    return nat64Bytes.filter(([first]) => bytes[first] !== 0).map((places) => at(places));
  if (g0 === 0x64 && g1 === 0xff9b) return [at(tail)];
  if (g0 === 0x2002) return [at([2, 3, 4, 5])];
  if (g0 === 0x2001 && g1 === 0) return [at([4, 5, 6, 7]), at(tail, 0xff)];
  if ((g4 === 0 || g4 === 0x200) && g5 === 0x5efe) return [at(tail)];
  return [];
}

function expandIpv6(address: string): number[] {
  // WHATWG's parser normalises a dotted tail to hexadecimal groups.
  const host = new URL(`http://[${address}]/`).hostname.slice(1, -1);
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
