import { Breaker, type BreakerOptions } from './breaker.ts';
import { type Clock, ServerClock } from './clock.ts';
import { Deadlines } from './deadlines.ts';
import { lostError, RedisError } from './errors.ts';
import type { LuaScript, RedisArgument, RedisLink, RedisReply } from './link.ts';

/** How one call ended. `timeout`: past its deadline; its command may still reach Redis. */
export type CallOutcome = 'ok' | 'error' | 'timeout';

/** Options of {@link RedisCalls}. */
export interface RedisCallsOptions {
  readonly link: RedisLink;
  /** The longest that a call may take, in milliseconds. */
  readonly deadlineMs: number;
  readonly breaker: BreakerOptions;
  readonly clock: Clock;
  /**
   * What a call does while the client has no connection. `wait`: it waits within its deadline and is sent when the client
   * is ready. `reject`: it rejects at once if the connection was lost; before the first connection it is given to the client.
   * A client that connects by its first command gets the call either way.
   */
  readonly withoutConnection: 'wait' | 'reject';
  /** Hears how every call ended; `error` is what it rejected with. */
  readonly onOutcome: (
    operation: string,
    durationMs: number,
    outcome: CallOutcome,
    error: RedisError | undefined,
  ) => void;
  /** Called after the first success that follows a failure. */
  readonly onRecovered?: () => void;
  /**
   * Makes what a call rejects with, so that a package can show errors of its own.
   * @defaultValue the `RedisError` itself
   */
  readonly toError?: (error: RedisError) => Error;
}

/** What is known of one server: whether it answers, and what its clock shows. */
export interface RedisNode {
  readonly breaker: Breaker;
  readonly clock: ServerClock;
  /** Calls past their deadline whose command is still unanswered, on the present connection. */
  unanswered: number;
  /** While so many are unanswered that no further probe is sent: when one is sent nevertheless, on the local clock. */
  stuckUntil: number;
}

/** One call under way. */
export interface Call {
  readonly node: RedisNode;
  /** When it started, on the local clock. */
  readonly startedAt: number;
  /** Runs `callback` when the call has ended, whichever way. */
  onEnd(callback: () => void): void;
}

/** A connection answers in order: behind so many commands that are late already, a further probe would only pile up. */
const maxUnanswered = 16;
/** A client may lose commands in silence, so that they are never answered: one more is sent after so many probes. */
const probesPerStuckProbe = 10;
const minStuckProbeMs = 2_000;
/** Nodes remembered; a cluster whose addresses change all the time forgets the oldest. */
const maxNodes = 1_000;

/**
 * Bounds every call to Redis: it settles within `deadlineMs`, as soon as its connection is seen to be lost, and at once while
 * the breaker of its node is open. Its outcome is reported. A command that outlives its deadline may still reach Redis; see
 * {@link Ticket} for how to keep that harmless.
 */
export class RedisCalls {
  readonly link: RedisLink;
  readonly #options: RedisCallsOptions;
  readonly #deadlines: Deadlines;
  readonly #nodes = new Map<string, RedisNode>();
  readonly #idle: (() => void)[] = [];
  #running = 0;
  #hasFailed = false;
  #losses: number;
  #lastUnavailable: { readonly reason: string; readonly error: Error } | undefined;

  constructor(options: RedisCallsOptions) {
    this.#options = options;
    this.link = options.link;
    this.#losses = options.link.losses;
    const isLost = (): boolean => options.withoutConnection === 'reject' && !this.#canSend();
    this.#deadlines = new Deadlines(Math.max(1, options.deadlineMs / 20), isLost);
  }

  /** The node that serves a key; without a key, or where the client does not know its nodes, the one for all. */
  nodeOf(key?: string): RedisNode {
    const address = key === undefined ? '' : this.link.nodeOf(key);
    let node = this.#nodes.get(address);
    if (node === undefined) {
      const { breaker, clock } = this.#options;
      node = { breaker: new Breaker(breaker, clock), clock: new ServerClock(), unanswered: 0, stuckUntil: 0 };
      this.#nodes.set(address, node);
      if (this.#nodes.size > maxNodes) this.#nodes.delete(this.#nodes.keys().next().value as string);
    }
    return node;
  }

  /** Whether a call started now would be sent. Does not spend the half-open probe. */
  isUsable(key?: string): boolean {
    return !this.nodeOf(key).breaker.isOpen && this.#canSend();
  }

  /** The moment of `performance.now` by which whatever starts now settles. */
  deadline(): number {
    return performance.now() + this.#options.deadlineMs;
  }

  /** One command through {@link run}. */
  command(
    operation: string,
    name: string,
    keys: readonly string[],
    args: readonly RedisArgument[] = [],
    until?: number,
  ): Promise<RedisReply> {
    return this.run(operation, keys[0], () => this.link.command(name, keys, args), until);
  }

  /** One script through {@link run}. */
  script(
    operation: string,
    script: LuaScript,
    keys: readonly string[],
    args: readonly RedisArgument[],
    until?: number,
  ): Promise<RedisReply> {
    return this.run(operation, keys[0], () => this.link.script(script, keys, args), until);
  }

  /** Sends within the deadline, or by `until`. Rejects with a `RedisError`, or what `toError` makes of it; never hangs. */
  run<T>(
    operation: string,
    key: string | undefined,
    send: (call: Call) => Promise<T>,
    until: number = this.deadline(),
  ): Promise<T> {
    const { clock, withoutConnection } = this.#options;
    const node = this.nodeOf(key);
    if (this.link.losses !== this.#losses) this.#forgetUnanswered();
    const canSend = this.#canSend();
    const mustWait = withoutConnection === 'wait' && !canSend;
    if ((!mustWait && !canSend) || this.#isStuck(node) || !node.breaker.admit())
      return Promise.reject(this.#unavailable(node));
    const call = new RunningCall(node, clock.now());
    this.#running += 1;
    let sent: Promise<T> | undefined;
    let work: Promise<T>;
    if (mustWait) {
      work = this.#whenReady(call).then(() => {
        sent = send(call);
        return sent;
      });
    } else {
      sent = send(call);
      work = sent;
    }
    return this.within(until, operation, work, (outcome, error) => {
      if (outcome === 'timeout' && sent !== undefined) this.#expect(node, sent);
      call.end();
      this.#settle(node, operation, call.startedAt, outcome, error);
    });
  }

  /** The same promise, rejected at `until` or when the connection is lost. Calls `onSettled`; reports nothing itself. */
  within<T>(
    until: number,
    operation: string,
    work: Promise<T>,
    onSettled?: (outcome: CallOutcome, error: RedisError | undefined) => void,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      let isSettled = false;
      const fail = (outcome: 'error' | 'timeout', error: RedisError): void => {
        isSettled = true;
        onSettled?.(outcome, error);
        reject(this.#shown(error));
      };
      const stop = this.#deadlines.start(until, () => {
        if (this.#options.withoutConnection === 'wait' || this.#canSend())
          fail('timeout', this.#late(operation));
        else fail('error', lostError('The connection was lost.'));
      });
      work.then(
        (value) => {
          if (isSettled) return;
          stop();
          isSettled = true;
          onSettled?.('ok', undefined);
          resolve(value);
        },
        (error: unknown) => {
          if (isSettled) return;
          stop();
          fail('error', redisErrorOf(error));
        },
      );
    });
  }

  /** Resolves when no call is under way; at the latest when their deadlines have passed. */
  async idle(): Promise<void> {
    if (this.#running === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle.push(resolve);
    });
  }

  // Before its first connection a client may queue (a lazy one connects by its first command): otherwise every process that
  // starts would fail its first calls. A client that has lost its connection may not: its queue would grow.
  #canSend(): boolean {
    const state = this.link.state();
    if (state === 'ready' || state === 'unknown' || state === 'idle') return true;
    return state === 'connecting' && this.#options.withoutConnection === 'reject';
  }

  #whenReady(call: Call): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.link.state() === 'closed') reject(lostError('The client is closed.'));
      const stop = this.link.watch((now) => {
        if (now !== 'ready') return;
        stop();
        resolve();
      });
      call.onEnd(stop);
    });
  }

  #expect(node: RedisNode, work: Promise<unknown>): void {
    const { breaker, clock } = this.#options;
    const losses = this.#losses;
    node.unanswered += 1;
    if (node.unanswered >= maxUnanswered)
      node.stuckUntil = clock.now() + Math.max(breaker.openMs * probesPerStuckProbe, minStuckProbeMs);
    const forget = (): void => {
      if (losses === this.#losses) node.unanswered -= 1;
    };
    work.then(forget, forget);
  }

  #isStuck(node: RedisNode): boolean {
    if (node.unanswered < maxUnanswered || !node.breaker.isOpen) return false;
    return this.#options.clock.now() < node.stuckUntil;
  }

  // What was sent on another connection is answered by nobody.
  #forgetUnanswered(): void {
    this.#losses = this.link.losses;
    for (const node of this.#nodes.values()) node.unanswered = 0;
  }

  #shown(error: RedisError): Error {
    return this.#options.toError?.(error) ?? error;
  }

  #settle(
    node: RedisNode,
    operation: string,
    startedAt: number,
    outcome: CallOutcome,
    error: RedisError | undefined,
  ): void {
    const { clock, onOutcome, onRecovered } = this.#options;
    this.#running -= 1;
    if (outcome === 'ok') {
      const hasRecovered = this.#hasFailed;
      this.#hasFailed = false;
      node.breaker.succeed();
      if (hasRecovered) onRecovered?.();
    } else {
      this.#hasFailed = true;
      node.breaker.fail();
    }
    onOutcome(operation, clock.now() - startedAt, outcome, error);
    if (this.#running === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  #late(operation: string): RedisError {
    const message = `Redis did not answer \`${operation}\` within ${this.#options.deadlineMs} ms. Raise the deadline if that is its normal pace.`;
    return new RedisError('ERR_WEIR_REDIS_TIMEOUT', message);
  }

  // Errors are costly, and an outage rejects every call with the same one.
  #unavailable(node: RedisNode): Error {
    const reason = `connection ${this.link.state()}, breaker ${node.breaker.isOpen ? 'open' : 'closed'}`;
    if (this.#lastUnavailable?.reason !== reason) {
      const message = `Redis is not usable now (${reason}). It is tried again automatically.`;
      const error = this.#shown(new RedisError('ERR_WEIR_REDIS_UNAVAILABLE', message));
      this.#lastUnavailable = { reason, error };
    }
    return this.#lastUnavailable.error;
  }
}

/** Allocates nothing for a call that nobody waits to see end: most of them. */
class RunningCall implements Call {
  readonly node: RedisNode;
  readonly startedAt: number;
  #ends: (() => void)[] | undefined;

  constructor(node: RedisNode, startedAt: number) {
    this.node = node;
    this.startedAt = startedAt;
  }

  onEnd(callback: () => void): void {
    this.#ends ??= [];
    this.#ends.push(callback);
  }

  end(): void {
    if (this.#ends !== undefined) for (const end of this.#ends) end();
  }
}

// What `within` waits for may itself have come through `toError`.
function redisErrorOf(error: unknown): RedisError {
  if (error instanceof RedisError) return error;
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof RedisError ? cause : lostError(error);
}
