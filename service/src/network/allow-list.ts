import { BlockList, isIP } from 'node:net';

const network = /^(.+)\/(\d{1,3})(?::(\d{1,5}))?$/;
const named = /^([^/\s@?#]+?|\[[^\]]+\])(?::(\d{1,5}))?$/;

/**
 * Where requests of ours may go, as a configuration names it: `host`, `host:port`, a network such as `10.0.0.0/8`, or a
 * network with `:port`. A name allows whatever addresses it has; a network allows addresses, whatever their names.
 */
export class AllowList {
  readonly #entries: readonly string[];

  constructor(entries: readonly string[]) {
    this.#entries = entries.map((entry) => entry.toLowerCase());
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  /** Whether the host may be asked at this port when it resolves to this address. */
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

/** Why an entry allows nothing, or `undefined`. */
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
