import { BlockList, isIP } from 'node:net';
import { RateLimitError, shown } from './errors.ts';

/**
 * Keys by themselves, addresses and CIDR ranges. A key matches when it is listed literally, or when it is an address
 * or prefix (`2001:db8::/56`) inside a listed range.
 */
export class AccessList {
  readonly #keys = new Set<string>();
  readonly #ranges = new BlockList();
  readonly #hasRanges: boolean;

  /** @throws {RateLimitError} `ERR_WEIR_RATELIMIT_OPTIONS` naming the entry that is neither. */
  constructor(option: string, entries: readonly string[]) {
    let ranges = 0;
    for (const entry of entries) {
      if (typeof entry !== 'string' || entry.length === 0) throw wrong(option, entry);
      const [address = '', bits] = entry.split('/');
      const family = isIP(address);
      if (family === 0) this.#keys.add(entry);
      else {
        const most = family === 4 ? 32 : 128;
        if (bits !== undefined && !(/^\d{1,3}$/.test(bits) && Number(bits) <= most))
          throw wrong(option, entry);
        this.#ranges.addSubnet(
          address,
          bits === undefined ? most : Number(bits),
          family === 4 ? 'ipv4' : 'ipv6',
        );
        ranges++;
      }
    }
    this.#hasRanges = ranges > 0;
  }

  has(key: string): boolean {
    if (this.#keys.has(key)) return true;
    if (!this.#hasRanges) return false;
    const slash = key.indexOf('/');
    const address = slash < 0 ? key : key.slice(0, slash);
    const family = isIP(address);
    return family !== 0 && this.#ranges.check(address, family === 4 ? 'ipv4' : 'ipv6');
  }
}

function wrong(option: string, entry: unknown): RateLimitError {
  return new RateLimitError(
    'ERR_WEIR_RATELIMIT_OPTIONS',
    `Expected every entry of \`${option}\` to be a key, an address or a CIDR range, got ${shown(entry)}.`,
  );
}
