import { decorateLink, linkOf, type RedisClient, RedisError, type RedisLink } from '@weir/redis';

/** A Redis that behaves as the client it wraps until `behave` says otherwise. */
export interface FlakyRedis extends RedisLink {
  /**
   * From now on: answer as usual, reject every command, or keep every command (`frozen`) until the next call of `behave`, as a
   * stopped server does. Kept commands are carried out then.
   */
  behave(mode: 'well' | 'failing' | 'frozen'): void;
  /** The next command is carried out, but its answer is lost, as when the connection is cut in between. */
  loseNextReply(): void;
  /** Commands and scripts received since creation. */
  readonly commands: number;
}

/** Wraps a client for `createCache({ redis })`. The cache's own connection for messages is not affected. */
export function createFlakyRedis(client: RedisClient): FlakyRedis {
  let mode: 'well' | 'failing' | 'frozen' = 'well';
  let losesReply = false;
  let commands = 0;
  let thaw = Promise.withResolvers<void>();
  const link = decorateLink(linkOf(client), async (send) => {
    commands += 1;
    while (mode === 'frozen') await thaw.promise;
    if (mode === 'failing') {
      const message = 'READONLY this Redis fails on purpose';
      throw new RedisError('ERR_WEIR_REDIS_REPLY', message, { reply: 'READONLY' });
    }
    const reply = await send();
    if (!losesReply) return reply;
    losesReply = false;
    throw new RedisError('ERR_WEIR_REDIS_LOST', 'The connection was cut on purpose.');
  });
  return Object.defineProperties(link, {
    behave: {
      value: (next: typeof mode) => {
        mode = next;
        if (next === 'frozen') return;
        thaw.resolve();
        thaw = Promise.withResolvers<void>();
      },
    },
    loseNextReply: {
      value: () => {
        losesReply = true;
      },
    },
    commands: { get: () => commands },
  }) as FlakyRedis;
}
