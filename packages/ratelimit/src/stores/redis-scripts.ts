import {
  type Call,
  createScript,
  type LuaScript,
  RedisCalls,
  RedisError,
  type RedisLink,
  type TicketOffice,
  ticketsOf,
} from '@weir/redis';
import { redisChannel } from '../channels.ts';
import type { Clock } from '../clock.ts';
import { isLoneGcra, type Plan } from '../policies/plan.ts';
import {
  adjustLua,
  algorithmLua,
  clockLua,
  decideGcraLua,
  decideLua,
  fixedWindowLua,
  gcraLua,
  recordLua,
  slidingCounterLua,
  slidingLogLua,
  tokenBucketLua,
} from './scripts.gen.ts';

/** The scripts of a plan. */
interface PlanScripts {
  /** Decides entries whose keys all differ. */
  readonly decide: LuaScript;
  /** Decides entries of which several may concern one record. */
  readonly decideShared: LuaScript;
  readonly adjust: LuaScript;
}

const luaByCode: Record<string, string> = {
  g: gcraLua,
  f: fixedWindowLua,
  c: slidingCounterLua,
  l: slidingLogLua,
  t: tokenBucketLua,
};

const compiled = new Map<string, PlanScripts>();

/** The scripts of a plan, made once for every set of algorithms. */
export function scriptsFor(plan: Plan): PlanScripts {
  const lone = isLoneGcra(plan);
  const id = `${lone} ${plan.codes}`;
  let scripts = compiled.get(id);
  if (scripts === undefined) {
    const decideShared = createScript('decide', luaFor(plan, clockLua, decideLua));
    scripts = {
      decide: lone ? createScript('decide', clockLua + decideGcraLua) : decideShared,
      decideShared,
      adjust: createScript('adjust', luaFor(plan, clockLua, adjustLua)),
    };
    compiled.set(id, scripts);
  }
  return scripts;
}

/** The Lua that a plan needs and no more, since Redis makes every function of a script anew at each call. */
export function luaFor(plan: Plan, clock: string, script: string): string {
  const functions = [...plan.codes].map((code) => luaByCode[code] as string);
  return [clock, algorithmLua, ...functions, recordLua, script].join('');
}

/**
 * Shares of the deadline. A call is abandoned here between 0.85 and 0.9 of it, since timers fire late and the caller must
 * have its answer within the deadline: `RedisCalls` ends a call up to 0.075 before the moment that it is given. A script
 * may not begin after 0.84, so that no abandoned call changes anything.
 */
const patience = 0.925;
const lastCall = 0.84;

/** Errors of Redis that do not pass by themselves, unlike those of a server that loads, fails over or is out of memory. */
const refusals: ReadonlySet<string | undefined> = new Set([
  'ERR',
  'NOPERM',
  'NOAUTH',
  'WRONGTYPE',
  'CROSSSLOT',
]);

/** Options of {@link RedisScripts}. */
interface RedisScriptsOptions {
  readonly link: RedisLink;
  /** The name of the limiter, for events and warnings. */
  readonly limiter: string;
  readonly deadlineMs: number;
  readonly clock: Clock;
  /** Called for every call that was sent, or waited for a connection, and failed. */
  readonly onError: () => void;
}

/**
 * Runs scripts within a deadline, whatever the client's retries and queues do.
 *
 * Every script gets a ticket: the last moment of the server's own clock at which it may act. A call that was abandoned
 * here and reaches Redis later (a stalled server) changes nothing, nor does one that the client sends again because its
 * connection was lost.
 */
export class RedisScripts {
  readonly #options: RedisScriptsOptions;
  readonly #calls: RedisCalls;
  readonly #tickets: TicketOffice;
  #hasWarned = false;

  constructor(options: RedisScriptsOptions) {
    const { link, deadlineMs, clock } = options;
    this.#options = options;
    this.#tickets = ticketsOf(link);
    this.#calls = new RedisCalls({
      link,
      deadlineMs,
      breaker: { failures: 3, openMs: 250 },
      clock,
      withoutConnection: 'wait',
      onOutcome: (operation, durationMs, outcome, error) => {
        if (error !== undefined) this.#failed(error);
        if (redisChannel.hasSubscribers)
          redisChannel.publish({ limiter: options.limiter, operation, durationMs, outcome });
      },
    });
  }

  get isCluster(): boolean {
    return this.#options.link.isCluster;
  }

  /**
   * The script's answer: little-endian doubles, `now` first. Rejects with a `RedisError`, never later than the deadline.
   * On Redis Cluster all keys must be in one slot.
   */
  run(script: LuaScript, keys: readonly string[], args: readonly string[]): Promise<DataView> {
    const until = performance.now() + this.#options.deadlineMs * patience;
    return this.#calls.run(script.name, keys[0], (call) => this.#send(call, script, keys, args), until);
  }

  async #send(
    call: Call,
    script: LuaScript,
    keys: readonly string[],
    args: readonly string[],
  ): Promise<DataView> {
    const { link, clock, deadlineMs } = this.#options;
    const { node, startedAt } = call;
    const notAfterMs = node.clock.toServer(startedAt + deadlineMs * lastCall);
    const ticket = this.#tickets.issue(Number.isNaN(notAfterMs) ? 0 : notAfterMs * 1000);
    call.onEnd(() => this.#tickets.settle(ticket));
    const sentAt = clock.now();
    const reply = await link.script(script, keys, [ticket.argument, ...args]);
    if (!Buffer.isBuffer(reply))
      throw new RedisError(
        'ERR_WEIR_REDIS_REPLY',
        'Redis answered a script of the rate limiter with no bytes.',
      );
    const answer = new DataView(reply.buffer, reply.byteOffset, reply.byteLength);
    node.clock.observe(answer.getFloat64(0, true) / 1000, sentAt, clock.now());
    if (answer.byteLength === 8)
      throw new RedisError('ERR_WEIR_REDIS_TIMEOUT', 'Redis received the call too late to act on it.');
    return answer;
  }

  #failed(error: RedisError): void {
    this.#options.onError();
    // Told once: until somebody acts, `onStoreError` decides every request.
    if (this.#hasWarned || !refusals.has(error.reply)) return;
    this.#hasWarned = true;
    process.emitWarning(
      `Redis refuses the scripts of rate limiter "${this.#options.limiter}". ${error.message}`,
      {
        code: 'WEIR_RATELIMIT_REFUSED',
        detail: '`onStoreError` decides until the server or its access rules are changed.',
      },
    );
  }
}
