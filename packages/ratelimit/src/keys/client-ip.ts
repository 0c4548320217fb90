import { RateLimitError, shown } from '../errors.ts';
import { AccessList } from './access-list.ts';
import { addressOf, type IpKeyOptions, ipKey } from './ip-key.ts';

/** Options of {@link clientIpKey}. */
export interface ClientIpOptions extends IpKeyOptions {
  /**
   * Which proxies may name the client's address: `false` for none (the default: the connection's own address), the number of proxies
   * in front, or their addresses and CIDR ranges. `true` is refused: anyone could then write any address.
   */
  readonly trustProxy?: false | number | readonly string[];
}

/** A request as `node:http` has it. */
interface ForwardedRequest {
  readonly socket: { readonly remoteAddress?: string | undefined };
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** The longest chain read; longer ones are an attack. */
const maxHops = 32;

/**
 * Makes the key function by client address for `node:http` and Koa-like requests. `X-Forwarded-For` is read from the
 * right, hop by hop, only as far as trust goes, so entries that a client made up are never reached. A port behind an
 * address is ignored.
 * @throws {RateLimitError} `ERR_WEIR_RATELIMIT_OPTIONS` for a set-up that clients could spoof. The function itself
 * throws `ERR_WEIR_RATELIMIT_KEY` for a malformed header, which adapters answer with 400.
 */
export function clientIpKey(options: ClientIpOptions = {}): (request: ForwardedRequest) => string {
  const { trustProxy = false } = options;
  const trusts = trustOf(trustProxy);
  return ({ socket, headers }) => {
    let address = socket.remoteAddress;
    const header = headers['x-forwarded-for'];
    if (header === undefined || trustProxy === false) return ipKey(address, options);
    const text = Array.isArray(header) ? header.join(',') : header;
    const hops = text.split(',', maxHops + 1).map((hop) => hop.trim());
    if (hops.length > maxHops) throw malformed(`more than ${maxHops} hops`);
    for (let passed = 0; hops.length > 0 && trusts(address ?? '', passed); passed++) {
      const hop = hops.pop() as string;
      address = addressOf(hop);
      if (address === undefined) throw malformed(shown(hop));
    }
    return ipKey(address, options);
  };
}

/**
 * Refuses an Express or Fastify `trust proxy` set-up under which `request.ip` is whatever the client writes.
 * @throws {RateLimitError} `ERR_WEIR_RATELIMIT_OPTIONS` for `true` and for ranges that hold every address.
 */
export function assertTrustProxy(trustProxy: unknown): void {
  const open =
    trustProxy === true ||
    [trustProxy].flat().some((range) => typeof range === 'string' && /\/0+(\s*,|\s*$)/.test(range));
  if (!open) return;
  throw new RateLimitError(
    'ERR_WEIR_RATELIMIT_OPTIONS',
    'The server trusts every proxy, so any client can choose its address by a header. Set the number of proxies in front or their addresses.',
  );
}

function trustOf(trustProxy: unknown): (address: string, hop: number) => boolean {
  if (trustProxy === false) return () => false;
  if (
    typeof trustProxy === 'number' &&
    Number.isInteger(trustProxy) &&
    trustProxy >= 1 &&
    trustProxy <= maxHops
  ) {
    return (_, hop) => hop < trustProxy;
  }
  if (Array.isArray(trustProxy) && trustProxy.length > 0) {
    if (trustProxy.some((range) => /\/0+$/.test(String(range)))) assertTrustProxy(true);
    const proxies = new AccessList('trustProxy', trustProxy);
    return (address) => proxies.has(address);
  }
  assertTrustProxy(trustProxy);
  throw new RateLimitError(
    'ERR_WEIR_RATELIMIT_OPTIONS',
    `Expected \`trustProxy\` to be false, a number of proxies from 1 to ${maxHops}, or a list of addresses, got ${shown(trustProxy)}.`,
  );
}

function malformed(what: string): RateLimitError {
  return new RateLimitError(
    'ERR_WEIR_RATELIMIT_KEY',
    `Expected X-Forwarded-For to be addresses, got ${what}.`,
  );
}
