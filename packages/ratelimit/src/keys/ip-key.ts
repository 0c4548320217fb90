import { isIP } from 'node:net';
import { RateLimitError, shown } from '../errors.ts';

/** Options of {@link ipKey}. */
export interface IpKeyOptions {
  /**
   * Bits of an IPv6 address that name one client, 32–128. Default 56: a household or host gets a /56 or /64 and may
   * use any address in it, so a limit by whole address limits nothing.
   */
  readonly ipv6Prefix?: number;
}

/**
 * The limit key of an address: an IPv4 address as it is (also when mapped into IPv6), an IPv6 address as its prefix,
 * such as `2001:db8:0:ff00::/56`. One client, one key, however the address is written: a port behind it, as some
 * proxies write it (`203.0.113.7:51234`, `[2001:db8::1]:443`), brackets and a zone do not count.
 * @throws {RateLimitError} `ERR_WEIR_RATELIMIT_KEY` for what is no address; adapters answer that with 400.
 */
export function ipKey(address: string | undefined, options?: IpKeyOptions): string {
  const prefix = options?.ipv6Prefix ?? 56;
  if (!Number.isInteger(prefix) || prefix < 32 || prefix > 128) {
    throw new RateLimitError(
      'ERR_WEIR_RATELIMIT_OPTIONS',
      `Expected \`ipv6Prefix\` to be a whole number from 32 to 128, got ${shown(prefix)}.`,
    );
  }
  if (typeof address !== 'string') throw unusable(address);
  const plain = addressOf(address);
  if (plain === undefined) throw unusable(address);
  if (isIP(plain) === 4) return plain;
  const groups = groupsOf(plain);
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (mapped) {
    const [high = 0, low = 0] = groups.slice(6);
    return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
  }
  const used = Math.ceil(prefix / 16);
  const kept = masked(groups, prefix).map((group) => group.toString(16));
  return `${kept.slice(0, used).join(':')}${used < 8 ? '::' : ''}/${prefix}`;
}

/** The groups with all bits behind the first `prefix` set to 0. */
export function masked(groups: readonly number[], prefix: number): number[] {
  return groups.map((group, index) => {
    const bits = Math.min(Math.max(prefix - index * 16, 0), 16);
    return group & (0xffff << (16 - bits)) & 0xffff;
  });
}

/** The address alone in what a proxy writes of a client, without port, brackets and zone; undefined when it is none. */
export function addressOf(text: string): string | undefined {
  const [, bracketed, dotted, port] =
    /^(?:\[([^\]]*)\]|(\d+\.\d+\.\d+\.\d+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  if (port !== undefined && Number(port) > 65_535) return undefined;
  const [plain = ''] = (bracketed ?? dotted ?? text).split('%', 1);
  const family = isIP(plain);
  // Brackets are for IPv6.
  return family === 0 || (family === 4 && bracketed !== undefined) ? undefined : plain;
}

/** The eight groups of a valid IPv6 address. */
export function groupsOf(address: string): number[] {
  const dotted = /(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  let text = address;
  if (dotted !== null) {
    const [a = 0, b = 0, c = 0, d = 0] = dotted.slice(1).map(Number);
    text = `${address.slice(0, dotted.index)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  }
  const [front = '', back] = text.split('::');
  const head = front === '' ? [] : front.split(':');
  const tail = back === undefined || back === '' ? [] : back.split(':');
  const gap = back === undefined ? [] : new Array<string>(8 - head.length - tail.length).fill('0');
  return [...head, ...gap, ...tail].map((group) => Number.parseInt(group, 16));
}

function unusable(address: unknown): RateLimitError {
  return new RateLimitError(
    'ERR_WEIR_RATELIMIT_KEY',
    `Expected an IP address, got ${shown(address)}. Check the proxy that writes the forwarded header.`,
  );
}
