import { redisSuffix } from '../names.ts';
import { tagsScript } from './lua.gen.ts';
import type { RedisCommands } from './redis-commands.ts';

/** The largest number of tags in one command. Redis, and the process while it builds the command, serve nothing else meanwhile. */
export const maxTagsAtOnce = 256;
/** How long Redis keeps a tag after its invalidation. Storing an entry under the tag prolongs it as needed. */
const renewedLifeMs = 7 * 24 * 3_600_000;

/** Parts of a list that are small enough for one command, in order. */
export function* slicesOf<T>(list: readonly T[]): Generator<readonly T[]> {
  for (let start = 0; start < list.length; start += maxTagsAtOnce) {
    yield list.slice(start, start + maxTagsAtOnce);
  }
}

/**
 * The versions of tags in Redis. Every method takes up to `maxTagsAtOnce` names and sends them as one command, on a cluster as one
 * command each. It rejects when Redis fails or passes its deadline.
 */
export class RedisTags {
  readonly #commands: RedisCommands;
  readonly #prefix: string;
  readonly #channel: string;

  /** `prefix`: of every key of a tag, up to its name. */
  constructor(commands: RedisCommands, prefix: string, channel: string) {
    this.#commands = commands;
    this.#prefix = prefix;
    this.#channel = channel;
  }

  /** Returns the versions; missing ones are created. Redis keeps them for at least half of `lifeMs`. */
  async versions(names: readonly string[], lifeMs: number, until?: number): Promise<readonly string[]> {
    const args = ['0', Number.isFinite(lifeMs) ? String(Math.ceil(lifeMs)) : '0', '', ''];
    return await this.#each(names, async (some) => {
      const reply = await this.#commands.eval('tag', tagsScript, this.#keys(some), args, until);
      return (reply as unknown as [number, ...Buffer[]]).slice(1).map(String);
    });
  }

  /** Returns the present versions, `''` for a missing one. Creates and prolongs none. */
  async peek(names: readonly string[], until?: number): Promise<readonly string[]> {
    return await this.#each(names, async (some) => {
      const reply = await this.#commands.call('verify', 'MGET', this.#keys(some), [], until);
      return (reply as readonly (Buffer | null)[]).map((version) =>
        version === null ? '' : String(version),
      );
    });
  }

  /** Gives new versions to tags of one command (`commandsFor`). Resolves with the number of subscribers that received `message`. */
  async bump(names: readonly string[], message: Buffer): Promise<number> {
    const args = ['1', String(renewedLifeMs), this.#channel, message];
    const reply = await this.#commands.eval('invalidate', tagsScript, this.#keys(names), args);
    return this.#commands.receivers((reply as unknown as [number])[0]);
  }

  /** Whether several nodes keep the versions. */
  get isSpread(): boolean {
    return this.#commands.link.isCluster;
  }

  /** Whether the node of a tag can be reached. */
  canAsk(name: string): boolean {
    return this.#commands.calls.isUsable(this.#keys([name])[0]);
  }

  /** Marks tags as used in Redis, so that Redis evicts other keys. */
  async touch(names: readonly string[]): Promise<void> {
    await this.#each(names, async (some) => {
      await this.#commands.call('touch', 'TOUCH', this.#keys(some));
      return some;
    });
  }

  /** The names that one command can carry together. */
  commandsFor(names: readonly string[]): readonly (readonly string[])[] {
    return this.#commands.isSharded ? names.map((name) => [name]) : [names];
  }

  async #each<T>(
    names: readonly string[],
    run: (some: readonly string[]) => Promise<readonly T[]>,
  ): Promise<readonly T[]> {
    const replies = await Promise.all(this.commandsFor(names).map(run));
    return replies.length === 1 ? (replies[0] as readonly T[]) : replies.flat();
  }

  #keys(names: readonly string[]): string[] {
    return names.map((name) => `${this.#prefix}${redisSuffix(name)}}`);
  }
}
