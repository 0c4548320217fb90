import { randomBytes } from 'node:crypto';
import { stampBytes, stampOffset } from '../codec/envelope.ts';
import { busKey, wakeMessage } from '../coherence/messages.ts';
import { redisSuffix } from '../keys.ts';
import { commitScript, readScript, releaseScript, renewScript, tagScript, writeScript } from './lua.gen.ts';
import { evalScript, keyPrefixOf } from './redis-client.ts';
import type { RedisGate } from './redis-gate.ts';

/** What a read found, and what became of the lease it asked for. */
export interface RedisRead {
  readonly lease: 'none' | 'granted' | 'held';
  /** How long the lease lives, whoever holds it. */
  readonly leaseMs: number;
  readonly bytes: Buffer | undefined;
  /** Life left to the entry; `Infinity` without expiry. */
  readonly remainingMs: number;
}

/** Which lease a read wants: none, one if the entry is missing or stale, or one in any case. */
export type LeaseWish = 'none' | 'if-stale' | 'always';

// A tag nobody has read for so long is forgotten, which makes its entries invalid: the safe side.
const tagLifeMs = 7 * 24 * 3_600_000;

const leaseStatus = ['none', 'granted', 'held'] as const;

/**
 * L2 and the cross-process half of the fenced lease, one script a step. Entry and lease of a key share one hash tag, so
 * every script runs on one slot. Every method rejects when Redis fails or passes its deadline.
 */
export class RedisStore {
  readonly #gate: RedisGate;
  readonly #prefix: string;
  readonly #leaseMs: number;
  /** Tells this instance's messages and stamps from every other's. */
  readonly instance: Buffer = randomBytes(8);
  /** What other instances are told on. */
  readonly channel: string;
  readonly #author: string = randomBytes(6).toString('base64url');
  #writes = 0;

  /** `prefix` ends in `:`; nothing else may use it. */
  constructor(gate: RedisGate, prefix: string, leaseMs: number) {
    this.#gate = gate;
    this.#prefix = prefix;
    this.channel = `${keyPrefixOf(gate.client)}${prefix}bus`;
    this.#leaseMs = leaseMs;
  }

  get isUsable(): boolean {
    return this.#gate.isUsable;
  }

  /** The first part of every entry's and every tag's key, as messages from Redis spell them. */
  get trackedPrefixes(): { readonly entries: string; readonly tags: string } {
    const start = `${keyPrefixOf(this.#gate.client)}${this.#prefix}`;
    return { entries: `${start}e:{`, tags: `${start}t:{` };
  }

  get leaseMs(): number {
    return this.#leaseMs;
  }

  /**
   * A token or stamp that no other write of any process has, 16 characters: who made it, then a counter. Text, because
   * ioredis sends commands without binary arguments in one cheaper write.
   */
  stamp(): string {
    this.#writes += 1;
    return this.#author + this.#writes.toString(36).padStart(8, '0');
  }

  async read(namespace: string, key: string, token: string, wish: LeaseWish): Promise<RedisRead> {
    const { entry, lease } = this.#keys(namespace, key);
    const args = [token, wish === 'none' ? 0 : this.#leaseMs, wish === 'always' ? 1 : 0];
    const reply = await this.#gate.run('read', () =>
      evalScript(this.#gate.client, readScript, [entry, lease], args),
    );
    const [status, bytes, remainingMs, leaseMs] = reply as [0 | 1 | 2, Buffer | null, number, number];
    return {
      lease: leaseStatus[status],
      leaseMs,
      bytes: bytes ?? undefined,
      remainingMs: remainingMs < 0 ? Number.POSITIVE_INFINITY : remainingMs,
    };
  }

  /** Resolves with whether the value was stored: `false` when a delete or set came in between. */
  async commit(
    namespace: string,
    key: string,
    token: string,
    bytes: Buffer,
    lifeMs: number,
  ): Promise<boolean> {
    const { entry, lease, wake } = this.#keys(namespace, key);
    const args = [token, lifeArgument(lifeMs), bytes, this.channel, wake];
    const reply = await this.#gate.run('commit', () =>
      evalScript(this.#gate.client, commitScript, [entry, lease], args),
    );
    return reply === 1;
  }

  async release(namespace: string, key: string, token: string): Promise<void> {
    const { lease, wake } = this.#keys(namespace, key);
    const args = [token, this.channel, wake];
    await this.#gate.run('release', () => evalScript(this.#gate.client, releaseScript, [lease], args));
  }

  /** Resolves with whether the lease was still ours. */
  async renew(namespace: string, key: string, token: string): Promise<boolean> {
    const { lease } = this.#keys(namespace, key);
    const args = [token, this.#leaseMs];
    const reply = await this.#gate.run('renew', () =>
      evalScript(this.#gate.client, renewScript, [lease], args),
    );
    return reply === 1;
  }

  async set(namespace: string, key: string, bytes: Buffer, lifeMs: number, message: Buffer): Promise<number> {
    return await this.#write('set', namespace, key, [lifeArgument(lifeMs), bytes, this.channel, message]);
  }

  async delete(namespace: string, key: string, message: Buffer): Promise<number> {
    return await this.#write('delete', namespace, key, [-1, '', this.channel, message]);
  }

  /** The stamp of the entry as Redis has it now, or `''` if there is none. */
  async stampOf(namespace: string, key: string): Promise<string> {
    const { entry } = this.#keys(namespace, key);
    const range = [entry, stampOffset, stampOffset + stampBytes - 1];
    const reply = await this.#gate.run('verify', () => this.#gate.client.callBuffer('GETRANGE', range));
    return (reply as Buffer).toString('latin1');
  }

  /** The version of a tag, which is made if it is missing. */
  async tagVersion(name: string): Promise<string> {
    const [version] = await this.#tag('tag', name, [0, tagLifeMs, '', '']);
    return String(version);
  }

  /** The version of a tag as it is now, `''` for none; neither makes nor prolongs it. */
  async peekTag(name: string): Promise<string> {
    const key = this.#tagKey(name);
    const reply = await this.#gate.run('verify', () => this.#gate.client.callBuffer('GET', [key]));
    return reply === null ? '' : String(reply);
  }

  /** Gives a tag a new version. Resolves with how many subscribers were told. */
  async bumpTag(name: string, message: Buffer): Promise<number> {
    const [, receivers] = await this.#tag('invalidate', name, [1, tagLifeMs, this.channel, message]);
    return Number(receivers);
  }

  async publish(channel: string, message: Buffer): Promise<void> {
    await this.#gate.run('publish', () => this.#gate.client.callBuffer('PUBLISH', [channel, message]));
  }

  async #tag(operation: string, name: string, args: (string | Buffer | number)[]): Promise<[Buffer, number]> {
    const keys = [this.#tagKey(name)];
    const reply = await this.#gate.run(operation, () => evalScript(this.#gate.client, tagScript, keys, args));
    return reply as [Buffer, number];
  }

  async #write(
    operation: string,
    namespace: string,
    key: string,
    args: (string | Buffer | number)[],
  ): Promise<number> {
    const { entry, lease } = this.#keys(namespace, key);
    const reply = await this.#gate.run(operation, () =>
      evalScript(this.#gate.client, writeScript, [entry, lease], args),
    );
    return Number(reply);
  }

  #tagKey(name: string): string {
    return `${this.#prefix}t:{${redisSuffix(name)}}`;
  }

  #keys(namespace: string, key: string): { entry: string; lease: string; wake: Buffer } {
    const subject = busKey(namespace, key);
    return {
      entry: `${this.#prefix}e:{${subject}}`,
      lease: `${this.#prefix}l:{${subject}}`,
      wake: wakeMessage(subject),
    };
  }
}

// Redis wants whole milliseconds, and none at all for a life without end.
function lifeArgument(lifeMs: number): number {
  return Number.isFinite(lifeMs) ? Math.max(1, Math.ceil(lifeMs)) : 0;
}
