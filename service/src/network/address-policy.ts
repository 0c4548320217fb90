import { BlockList, isIP } from 'node:net';

/**
 * Addresses that the service never connects to, whatever the configuration or a name server says: link-local addresses, where
 * cloud metadata services live; the other addresses of those services; unspecified, multicast and broadcast addresses.
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

/** Whether an address is a loopback address. */
export function isLoopback(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && loopback.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

/**
 * Whether an address is a forbidden one, in any of its written forms, or an IPv6 address that a gateway may translate to a
 * forbidden one. Text that is no address counts as forbidden.
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
 * Where an address of the local NAT64 prefix 64:ff9b:1::/48 may hold its IPv4 address, by the prefix length of the network:
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

const network = /^(.+)\/(\d{1,3})(?::(\d{1,5}))?$/;
const named = /^([^/\s@?#]+?|\[[^\]]+\])(?::(\d{1,5}))?$/;

/**
 * The destinations that the configuration permits: `host`, `host:port`, a network such as `10.0.0.0/8`, or a network with
 * `:port`. A host is permitted with all its addresses; a network permits its addresses under any name.
 */
export class AllowList {
  readonly #entries: readonly string[];

  constructor(entries: readonly string[]) {
    this.#entries = entries.map((entry) => entry.toLowerCase());
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  /** Whether a host may be reached at this port and at this address, to which it resolves. */
  allows(host: string, port: string, address: string): boolean {
    return this.#entries.some(
      (entry) =>
        entry === host ||
        entry === `${host}:${port}` ||
        entry === `[${host}]:${port}` ||
        isInNetwork(entry, port, address),
    );
  }

  toString(): string {
    return this.#entries.join(', ');
  }
}

/** Why an entry is malformed, or `undefined`. */
export function explainAllowEntry(entry: string): string | undefined {
  const match = network.exec(entry);
  if (match !== null) {
    const family = isIP(bare(match[1] as string));
    if (family === 0) return 'expected an address before the slash, such as "10.0.0.0/8".';
    const bits = family === 4 ? 32 : 128;
    return Number(match[2]) <= bits ? undefined : `expected at most ${bits} after the slash.`;
  }
  if (isIP(entry) === 6 || named.test(entry)) return undefined;
  return 'expected `host`, `host:port`, `10.0.0.0/8` or `10.0.0.0/8:8080`, without a scheme.';
}

function isInNetwork(entry: string, port: string, address: string): boolean {
  const match = network.exec(entry);
  if (match === null || (match[3] !== undefined && match[3] !== port)) return false;
  const base = bare(match[1] as string);
  const family = isIP(base);
  if (family === 0 || Number(match[2]) > (family === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  list.addSubnet(base, Number(match[2]), family === 4 ? 'ipv4' : 'ipv6');
  return list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

function bare(text: string): string {
  return text.replace(/^\[|\]$/g, '');
}
