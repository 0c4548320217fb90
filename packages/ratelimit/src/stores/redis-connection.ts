/** What this package needs of a client: an ioredis `Redis` or `Cluster` has it. It is never configured or closed here. */
export interface RedisLike {
  readonly status: string;
  readonly isCluster?: boolean;
  /** Of a Cluster: the addresses of the nodes that serve each slot, the master first. */
  readonly slots?: readonly (readonly string[] | undefined)[];
  readonly options?: {
    readonly enableAutoPipelining?: boolean | undefined;
    readonly keyPrefix?: string | Buffer | undefined;
  };
  callBuffer(command: string, ...args: Argument[]): Promise<unknown>;
  on(event: 'ready' | 'close' | '-node', listener: () => void): unknown;
}

type Argument = string | number | Buffer;

/** Methods of ioredis that its types leave out. */
interface ScriptCommands {
  evalshaBuffer(sha: string, ...args: Argument[]): Promise<unknown>;
  evalBuffer(source: string, ...args: Argument[]): Promise<unknown>;
}

/**
 * EVAL or EVALSHA with a reply in bytes. A client with `enableAutoPipelining` loses the name of a command given to
 * `callBuffer`, and takes the first argument for it; its own methods do not.
 */
export function callScript(
  redis: RedisLike,
  command: 'eval' | 'evalsha',
  script: string,
  args: readonly Argument[],
): Promise<unknown> {
  if (redis.options?.enableAutoPipelining !== true) return redis.callBuffer(command, script, ...args);
  const commands = redis as RedisLike & ScriptCommands;
  return command === 'eval' ? commands.evalBuffer(script, ...args) : commands.evalshaBuffer(script, ...args);
}

const connections = new WeakMap<RedisLike, RedisConnection>();

/** The one watch on a client's connection, whatever number of limiters and calls use it. */
export function connectionOf(redis: RedisLike): RedisConnection {
  let connection = connections.get(redis);
  if (connection === undefined) {
    connection = new RedisConnection(redis);
    connections.set(redis, connection);
  }
  return connection;
}

/** Tells calls when the client is ready, and bars those under way from being sent a second time. */
export class RedisConnection {
  readonly #waiting = new Set<() => void>();
  readonly #sent = new Set<Ticket>();

  constructor(redis: RedisLike) {
    redis.on('ready', () => {
      const waiting = [...this.#waiting];
      this.#waiting.clear();
      for (const proceed of waiting) proceed();
    });
    const bar = (): void => {
      for (const ticket of this.#sent) ticket.void();
    };
    redis.on('close', bar);
    // A cluster loses its nodes one by one. What went to others is answered by its only sending.
    redis.on('-node', bar);
  }

  /** Calls back once when the client is ready. Returns how to end the wait. */
  whenReady(proceed: () => void): () => void {
    this.#waiting.add(proceed);
    return () => void this.#waiting.delete(proceed);
  }

  /** A ticket for a call that is about to be sent. {@link settle} ends it. */
  issue(notAfterUs: number): Ticket {
    const ticket = new Ticket(notAfterUs);
    this.#sent.add(ticket);
    return ticket;
  }

  settle(ticket: Ticket): void {
    this.#sent.delete(ticket);
    ticket.void();
  }
}

/** The first µs of all times: over for every server, and not 0, which means no limit. */
const past = Buffer.from('1'.padStart(16, '0'), 'latin1');

/**
 * Until when, by the server's clock, a script may act: the first argument of all of them.
 *
 * ioredis sends unanswered commands again when it has reconnected, and keeps those of a client that connects for later.
 * It writes a Buffer as it is at that moment: a void ticket makes the script of any later sending do nothing.
 */
export class Ticket {
  readonly argument: Buffer;

  /** @param notAfterUs 0: no limit. */
  constructor(notAfterUs: number) {
    this.argument = Buffer.from(String(notAfterUs).padStart(16, '0'), 'latin1');
  }

  void(): void {
    this.argument.set(past);
  }
}
