import { BlockList, isIP } from 'node:net';
import { RateLimitError, shown } from '../errors.ts';
import { groupsOf, masked } from './ip-key.ts';

/** One range of addresses: its groups as IPv6 writes them, and how many bits of them count. */
interface Range {
  readonly groups: readonly number[];
  readonly bits: number;
}

/**
 * Keys by themselves, addresses and CIDR ranges. A key matches when it is listed literally, or when it is an address
 * inside a listed range. A key that is a prefix (`2001:db8::/56`, as `ipKey` makes it) stands for all addresses in it: it
 * matches `all` when a range holds all of them, and `some` also when a listed address or range lies inside it.
 */
export class AccessList {
  readonly #keys = new Set<string>();
  readonly #ranges = new BlockList();
  readonly #list: Range[] = [];
  readonly #match: 'all' | 'some';
  /** For each length of a prefix that was asked, the prefixes of that length with a listed range inside. */
  readonly #holders = new Map<number, ReadonlySet<string>>();

  /** @throws {RateLimitError} `ERR_WEIR_RATELIMIT_OPTIONS` naming the entry that is neither. */
  constructor(option: string, entries: readonly string[], match: 'all' | 'some' = 'all') {
    this.#match = match;
    for (const entry of entries) {
      if (typeof entry !== 'string' || entry.length === 0) throw wrong(option, entry);
      const range = rangeOf(entry);
      if (range === undefined) throw wrong(option, entry);
      if (range === 'key') this.#keys.add(entry);
      else {
        this.#list.push(range);
        this.#ranges.addSubnet(written(range.groups), range.bits, 'ipv6');
      }
    }
  }

  has(key: string): boolean {
    if (this.#keys.has(key)) return true;
    if (this.#list.length === 0) return false;
    const range = rangeOf(key);
    if (range === undefined || range === 'key') return false;
    const { groups, bits } = range;
    if (bits === 128) return this.#ranges.check(written(groups), 'ipv6');
    if (this.#match === 'some' && this.#holdersOf(bits).has(written(masked(groups, bits)))) return true;
    return this.#list.some(
      (listed) =>
        listed.bits <= bits &&
        written(masked(groups, listed.bits)) === written(masked(listed.groups, listed.bits)),
    );
  }

  #holdersOf(bits: number): ReadonlySet<string> {
    let holders = this.#holders.get(bits);
    if (holders === undefined) {
      const inside = this.#list.filter((range) => range.bits > bits);
      holders = new Set(inside.map((range) => written(masked(range.groups, bits))));
      this.#holders.set(bits, holders);
    }
    return holders;
  }
}

/** The range that an address or CIDR range names, `key` when the text is neither, undefined for a wrong one. */
function rangeOf(text: string): Range | 'key' | undefined {
  const [address = '', length, ...more] = text.split('/');
  const plain = address.split('%', 1)[0] as string;
  const family = isIP(plain);
  if (family === 0) return 'key';
  const most = family === 4 ? 32 : 128;
  if (more.length > 0 || (length !== undefined && !(/^\d{1,3}$/.test(length) && Number(length) <= most)))
    return undefined;
  const groups = groupsOf(family === 4 ? `::ffff:${plain}` : plain);
  return { groups, bits: 128 - most + (length === undefined ? most : Number(length)) };
}

function written(groups: readonly number[]): string {
  return groups.map((group) => group.toString(16)).join(':');
}

function wrong(option: string, entry: unknown): RateLimitError {
  return new RateLimitError(
    'ERR_WEIR_RATELIMIT_OPTIONS',
    `Expected every entry of \`${option}\` to be a key, an address or a CIDR range, got ${shown(entry)}.`,
  );
}
