import type { RedisClient } from '../stores/redis-client.ts';

/** A client that behaves as the one it wraps until told otherwise. */
export interface FlakyRedis extends RedisClient {
  /**
   * From now on: answer as usual, reject every command, or keep every command (`frozen`) until told otherwise, as a stopped
   * server does.
   */
  behave(mode: 'well' | 'failing' | 'frozen'): void;
  /** The next command is carried out, but its answer is lost: what a connection cut in between does. */
  loseNextReply(): void;
  /** Commands received since creation. */
  readonly commands: number;
}

/** Wraps a client for `createCache({ redis })`. The cache's own subscriber connection is not affected. */
export function createFlakyRedis(client: RedisClient): FlakyRedis {
  let mode: 'well' | 'failing' | 'frozen' = 'well';
  let losesReply = false;
  let commands = 0;
  let thaw = Promise.withResolvers<void>();
  return {
    get status() {
      return client.status;
    },
    get isCluster() {
      return client.isCluster;
    },
    get options() {
      return client.options;
    },
    get commands() {
      return commands;
    },
    behave(next) {
      mode = next;
      if (next === 'frozen') return;
      thaw.resolve();
      thaw = Promise.withResolvers<void>();
    },
    loseNextReply() {
      losesReply = true;
    },
    async callBuffer(command, args) {
      commands += 1;
      while (mode === 'frozen') await thaw.promise;
      if (mode === 'failing') throw new Error('READONLY this Redis fails on purpose');
      const reply = await client.callBuffer(command, args);
      if (!losesReply) return reply;
      losesReply = false;
      throw new Error('Connection is closed.');
    },
    duplicate: (...args) => client.duplicate(...args),
  };
}
