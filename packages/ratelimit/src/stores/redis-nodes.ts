import type { Clock } from '../clock.ts';
import type { RedisLike } from './redis-connection.ts';

const FAILURES = 3;
const PAUSE_MS = 250;
/** Nodes remembered; a cluster whose addresses change all the time forgets the oldest. */
const MAX_NODES = 1000;

/** What is known of one server: whether it answers, and how far its clock is from ours. */
export class RedisNode {
  readonly #clock: Clock;
  #failures = 0;
  #nextTryMs = 0;
  /** Server µs minus local µs, at most the true difference: measured when a reply arrives. */
  #offsetUs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A circuit breaker: after three failures in a row it lets one call through each 250 ms until one succeeds. */
  admits(): boolean {
    if (this.#failures < FAILURES) return true;
    const now = this.#clock.now();
    if (now < this.#nextTryMs) return false;
    this.#nextTryMs = now + PAUSE_MS;
    return true;
  }

  succeed(): void {
    this.#failures = 0;
  }

  fail(): void {
    this.#failures++;
    this.#nextTryMs = this.#clock.now() + PAUSE_MS;
  }

  /**
   * Learns from a reply that arrived now and was made at `serverUs`: the difference found is at most the true one, by no
   * more than the trip. A quick trip is believed at once; slower ones lead it slowly, which follows a server clock that
   * was set back.
   */
  answered(serverUs: number): void {
    const offset = serverUs - this.#clock.now() * 1000;
    this.#offsetUs = offset > this.#offsetUs ? offset : this.#offsetUs + (offset - this.#offsetUs) / 10;
  }

  /** A time of our clock on the server's, in µs; 0 while no reply told the difference. */
  serverUs(localMs: number): number {
    return this.#offsetUs === Number.NEGATIVE_INFINITY ? 0 : Math.ceil(localMs * 1000 + this.#offsetUs);
  }
}

/** The servers behind a client: one, or the nodes of a Cluster, which fail one by one and have a clock each. */
export class RedisNodes {
  readonly #redis: RedisLike;
  readonly #clock: Clock;
  readonly #only: RedisNode;
  readonly #nodes = new Map<string, RedisNode>();

  constructor(redis: RedisLike, clock: Clock) {
    this.#redis = redis;
    this.#clock = clock;
    this.#only = new RedisNode(clock);
  }

  /** The node that a record is on. */
  of(key: string): RedisNode {
    const { slots, options } = this.#redis;
    if (this.#redis.isCluster !== true || slots === undefined) return this.#only;
    const prefix = options?.keyPrefix ?? '';
    const name = slots[slotOf(`${prefix}${key}`)]?.[0];
    if (name === undefined) return this.#only;
    let node = this.#nodes.get(name);
    if (node === undefined) {
      node = new RedisNode(this.#clock);
      this.#nodes.set(name, node);
      if (this.#nodes.size > MAX_NODES) this.#nodes.delete(this.#nodes.keys().next().value as string);
    }
    return node;
  }
}

/** CRC16 (XMODEM) of every byte. */
const crcOfByte: Uint16Array = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc;
});

/** The slot of a key (Redis Cluster specification, "Hash tags"): of what stands between its first braces, if anything. */
export function slotOf(key: string): number {
  const open = key.indexOf('{');
  const close = open < 0 ? -1 : key.indexOf('}', open + 1);
  const bytes = Buffer.from(close > open + 1 ? key.slice(open + 1, close) : key);
  let crc = 0;
  for (const byte of bytes) crc = ((crc << 8) & 0xffff) ^ (crcOfByte[((crc >> 8) ^ byte) & 0xff] as number);
  return crc % 16_384;
}
