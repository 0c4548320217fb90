import { randomBytes } from 'node:crypto';
import { type Clock, type RedisArgument, type ServerClock, TurnBatch } from '@weir/redis';
import { busKey } from '../names.ts';
import { freshUntilOf, stampBytes, stampOffset } from '../values/envelope.ts';

import {
  commitScript,
  readScript,
  releaseScript,
  renewScript,
  stampsScript,
  writeScript,
} from './lua.gen.ts';
import type { RedisCommands } from './redis-commands.ts';
import { RedisTags } from './redis-tags.ts';

/** The reply to a read: the entry, and the state of the lease that was requested. */
export interface RedisRead {
  readonly lease: 'none' | 'granted' | 'held';
  /** How long the lease lives, whoever holds it. */
  readonly leaseMs: number;
  readonly bytes: Buffer | undefined;
  /** On the cache's clock, if the bytes are an entry's. */
  readonly freshUntil: number;
}

/** Which lease a read requests: none, one if the entry is missing or stale, or one in any case. */
export type LeaseWish = 'none' | 'if-stale' | 'always';

/** The name of an entry in Redis. */
export interface RedisName {
  readonly namespace: string;
  readonly key: string;
}

interface Ask {
  readonly subject: string;
  readonly token: string;
  readonly wish: LeaseWish;
}

interface Commit {
  readonly subject: string;
  readonly token: string;
  readonly payload: string | Buffer;
  readonly freshMs: number;
  readonly lifeMs: number;
}

// Redis serves nothing else during one command, and a script replies for its first key only after its last.
const maxValues = 256;
const maxScripted = 16;

const absent: RedisRead = Object.freeze({ lease: 'none', leaseMs: 0, bytes: undefined, freshUntil: 0 });

const leaseStatus = ['none', 'granted', 'held'] as const;
const wishes = { none: '0', 'if-stale': '1', always: '2' } as const;

/**
 * L2 and the cross-process half of the fenced lease. The entry and the lease of a key share a hash tag, hence a slot. Requests of one
 * turn of the event loop are sent as one command, on a cluster as one command for each key. Every method rejects when Redis
 * fails or passes its deadline.
 */
export class RedisStore {
  readonly #commands: RedisCommands;
  readonly #prefix: string;
  readonly #leaseMs: number;
  readonly #clock: Clock;
  readonly #values: TurnBatch<string, RedisRead>;
  readonly #asks: TurnBatch<Ask, RedisRead>;
  readonly #commits: TurnBatch<Commit, boolean>;
  readonly #stamps: TurnBatch<string, string>;
  readonly #subjectOffset: number;
  /** The id of this instance in messages. */
  readonly instance: Buffer = randomBytes(8);
  /** The channel of the bus, shared by all instances. */
  readonly channel: string;
  readonly tags: RedisTags;
  readonly #author: string = randomBytes(6).toString('base64url');
  #writes = 0;

  /** `prefix` ends in `:`; nothing else may use it. */
  constructor(commands: RedisCommands, prefix: string, leaseMs: number, clock: Clock) {
    this.#commands = commands;
    this.#prefix = prefix;
    this.#clock = clock;
    const { keyPrefix } = commands.link;
    // Pub/sub knows no databases.
    const database = commands.link.database();
    this.channel = `${keyPrefix}${prefix}bus${database === 0 ? '' : `@${database}`}`;
    this.tags = new RedisTags(this.#commands, `${prefix}t:{`, this.channel);
    this.#subjectOffset = Buffer.byteLength(`${keyPrefix}${prefix}e:{`);
    this.#leaseMs = leaseMs;
    // Keys of different slots cannot share a command.
    const max = () => (this.#commands.isSharded ? 1 : maxScripted);
    const maxRead = () => (this.#commands.isSharded ? 1 : maxValues);
    this.#values = new TurnBatch((subjects) => this.#runValues(subjects), maxRead);
    this.#asks = new TurnBatch((asks) => this.#runAsks(asks), max);
    this.#commits = new TurnBatch((commits) => this.#runCommits(commits), max);
    this.#stamps = new TurnBatch((subjects) => this.#runStamps(subjects), max);
  }

  /** Whether a command sent now would be sent; on a cluster, to the node of an entry. */
  isUsable(name?: RedisName): boolean {
    const { calls, link } = this.#commands;
    if (!link.isCluster || name === undefined) return calls.isUsable();
    return calls.isUsable(this.#entryKey(busKey(name.namespace, name.key)));
  }

  /** Whether `peek` can judge freshness: it knows the clock of one server, not of each node of a cluster. */
  get knowsTime(): boolean {
    return !this.#commands.isSharded && this.#serverClock.isKnown(this.#clock.now());
  }

  /** The first part of the keys of entries and of tags, with the client's key prefix, as in messages from Redis. */
  get trackedPrefixes(): { readonly entries: string; readonly tags: string } {
    const start = `${this.#commands.link.keyPrefix}${this.#prefix}`;
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

  /** Whether a stamp is of a write by this instance. */
  isOwnStamp(stamp: string | undefined): boolean {
    return stamp?.startsWith(this.#author) === true;
  }

  /** The moment of `performance.now` by which a read that starts now must have finished with Redis. */
  deadline(): number {
    return this.#commands.calls.deadline();
  }

  /** Connects a cluster client that would connect by its first command: its nodes are not known before. */
  wake(): void {
    const { link } = this.#commands;
    if (link.isCluster && link.state() === 'idle') this.#commands.call('connect', 'PING', []).catch(() => {});
  }

  /** Resolves when no operation is running. */
  async idle(): Promise<void> {
    await this.#commands.calls.idle();
  }

  /** Reads an entry by a plain GET, without a lease. Only while `knowsTime`. */
  peek({ namespace, key }: RedisName): Promise<RedisRead> {
    return this.#values.add(busKey(namespace, key));
  }

  /** Reads an entry and requests a lease as `wish` says. Settles by `until`. */
  read({ namespace, key }: RedisName, token: string, wish: LeaseWish, until: number): Promise<RedisRead> {
    const ask = this.#asks.add({ subject: busKey(namespace, key), token, wish });
    return this.#commands.within(until, 'read', ask);
  }

  /** Stores a loaded value. Resolves with `false` if a delete or set came in between. */
  commit(
    { namespace, key }: RedisName,
    token: string,
    value: { readonly payload: string | Buffer; readonly freshMs: number; readonly lifeMs: number },
  ): Promise<boolean> {
    return this.#commits.add({ subject: busKey(namespace, key), token, ...value });
  }

  /** Ends a lease without a value. `hasFailed`: waiting processes are told that the load failed. */
  async release({ namespace, key }: RedisName, token: string, hasFailed: boolean): Promise<void> {
    const args = [token, this.channel, String(this.#subjectOffset), hasFailed ? 'f' : 'w'];
    await this.#commands.eval('release', releaseScript, [this.#leaseKey(busKey(namespace, key))], args);
  }

  /** Prolongs a lease. Resolves with whether it still existed. */
  async renew({ namespace, key }: RedisName, token: string): Promise<boolean> {
    const args = [token, String(this.#leaseMs)];
    return (
      (await this.#commands.eval('renew', renewScript, [this.#leaseKey(busKey(namespace, key))], args)) === 1
    );
  }

  /** Stores a value and ends the lease of its key. Resolves with the number of subscribers that received `message`. */
  async set(
    { namespace, key }: RedisName,
    value: { readonly payload: string | Buffer; readonly freshMs: number; readonly lifeMs: number },
    message: Buffer,
  ): Promise<number> {
    const { freshMs, lifeMs, payload } = value;
    return await this.#write('set', busKey(namespace, key), message, [inMs(lifeMs), inMs(freshMs), payload]);
  }

  /** Removes an entry and ends the lease of its key. `subject`: from `busKey`. Resolves as `set`. */
  async delete(subject: string, message: Buffer): Promise<number> {
    return await this.#write('delete', subject, message, ['-1']);
  }

  /** The stamp of the entry as Redis has it now, or `''` if there is none. */
  async stampOf({ namespace, key }: RedisName): Promise<string> {
    return await this.#stamps.add(busKey(namespace, key));
  }

  /** Warns once that Redis refuses a command to the user. */
  warnRefused(command: string, reply: string): void {
    this.#commands.warnRefused(command, reply);
  }

  async publish(channel: string, message: Buffer): Promise<void> {
    await this.#commands.call('publish', 'PUBLISH', [], [channel, message]);
  }

  async #runValues(subjects: readonly string[]): Promise<readonly RedisRead[]> {
    const keys = subjects.map((subject) => this.#entryKey(subject));
    if (keys.length === 1) {
      const value = await this.#commands.call('read', 'GET', keys);
      return [this.#peeked(value as Buffer | null)];
    }
    const values = await this.#commands.call('read', 'MGET', keys);
    return (values as readonly (Buffer | null)[]).map((value) => this.#peeked(value));
  }

  #peeked(bytes: Buffer | null): RedisRead {
    if (bytes === null) return absent;
    return { lease: 'none', leaseMs: 0, bytes, freshUntil: this.#serverClock.toLocal(freshUntilOf(bytes)) };
  }

  async #runAsks(asks: readonly Ask[]): Promise<readonly RedisRead[]> {
    const keys: string[] = [];
    const args: RedisArgument[] = [String(this.#leaseMs)];
    for (const { subject, token, wish } of asks) {
      keys.push(this.#entryKey(subject), this.#leaseKey(subject));
      args.push(token, wishes[wish]);
    }
    const sentAt = this.#clock.now();
    const reply = await this.#commands.eval('read', readScript, keys, args);
    const [micros, ...found] = reply as unknown as [number, ...[0 | 1 | 2, Buffer | null, number][]];
    const serverMs = micros / 1_000;
    this.#serverClock.observe(serverMs, sentAt, this.#clock.now());
    return found.map(([status, bytes, leaseMs]) => ({
      lease: leaseStatus[status],
      leaseMs,
      bytes: bytes ?? undefined,
      // Counted from when it was asked for: the reply may have taken its time.
      freshUntil: bytes === null ? 0 : sentAt + freshUntilOf(bytes) - serverMs,
    }));
  }

  async #runCommits(commits: readonly Commit[]): Promise<readonly boolean[]> {
    const keys: string[] = [];
    const args: RedisArgument[] = [this.channel, String(this.#subjectOffset)];
    for (const { freshMs, lifeMs, payload, subject, token } of commits) {
      keys.push(this.#entryKey(subject), this.#leaseKey(subject));
      args.push(token, inMs(lifeMs), inMs(freshMs), payload);
    }
    const sentAt = this.#clock.now();
    const [micros, ...stored] = (await this.#commands.eval(
      'commit',
      commitScript,
      keys,
      args,
    )) as readonly number[];
    this.#serverClock.observe((micros as number) / 1_000, sentAt, this.#clock.now());
    return stored.map((status) => status === 1);
  }

  async #runStamps(subjects: readonly string[]): Promise<readonly string[]> {
    const keys = subjects.map((subject) => this.#entryKey(subject));
    const range = [String(stampOffset), String(stampOffset + stampBytes - 1)];
    const reply = await this.#commands.eval('verify', stampsScript, keys, range);
    return (reply as readonly Buffer[]).map((stamp) => stamp.toString('latin1'));
  }

  async #write(
    operation: string,
    subject: string,
    message: Buffer,
    args: readonly RedisArgument[],
  ): Promise<number> {
    const keys = [this.#entryKey(subject), this.#leaseKey(subject)];
    const reply = await this.#commands.eval(operation, writeScript, keys, [this.channel, message, ...args]);
    return this.#commands.receivers(Number(reply));
  }

  // Only asked for while one server has all keys.
  get #serverClock(): ServerClock {
    return this.#commands.calls.nodeOf().clock;
  }

  #entryKey(subject: string): string {
    return `${this.#prefix}e:{${subject}}`;
  }

  #leaseKey(subject: string): string {
    return `${this.#prefix}l:{${subject}}`;
  }
}

// Redis takes whole milliseconds up to a bound; a longer life becomes no expiry.
function inMs(durationMs: number): string {
  return durationMs <= Number.MAX_SAFE_INTEGER ? String(Math.max(1, Math.ceil(durationMs))) : '0';
}
