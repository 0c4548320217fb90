/**
 * Command timing for ioredis and node-redis. Only a command's name is ever looked at, and the option BLOCK of two: keys and values stay out.
 * The clients' diagnostics channels are not used: they serve the whole process at once and hand out keys.
 */

import { type AnyFunction, claim, type Queries, wrapMethod } from './driver.ts';
import type { QueryExecution } from './query-recorder.ts';
import { namedStatement, type Statement } from './statements.ts';

/** What is used of either client. */
export interface RedisClient {
  sendCommand: AnyFunction;
}

interface IoredisCommand {
  readonly name: string;
  readonly args?: readonly unknown[];
  readonly promise: Promise<unknown>;
}

/** Whether `client` is a client or cluster of ioredis or of node-redis. */
export function isRedisClient(client: object): client is RedisClient {
  return typeof (client as { sendCommand?: unknown }).sendCommand === 'function';
}

const statements = new Map<string, Statement>();
const commandName = /^[A-Za-z][A-Za-z._-]{0,31}$/;
/** Commands that are meant to wait: for an element, for replicas. */
const waitingCommand =
  /^(?:BLPOP|BRPOP|BLMOVE|BLMPOP|BRPOPLPUSH|BZPOPMIN|BZPOPMAX|BZMPOP|WAIT|WAITAOF|XREAD BLOCK|XREADGROUP BLOCK)$/;

// Names come from code, but nothing says that they must: odd ones and those past a bound share one statement.
function statementOf(command: string, words: readonly unknown[] = [], from = 0): Statement {
  const name = commandName.test(command) ? command.toUpperCase() : 'OTHER';
  const isRead = name === 'XREAD' || name === 'XREADGROUP';
  const form = isRead && blocks(words, from) ? `${name} BLOCK` : name;
  const known = statements.get(form);
  if (known !== undefined) return known;
  const waits = waitingCommand.test(form);
  if (statements.size >= 500) return namedStatement('OTHER', 'OTHER', waits);
  const statement = namedStatement(form, form, waits);
  statements.set(form, statement);
  return statement;
}

// XREADGROUP GROUP group consumer [COUNT n] [BLOCK ms] [NOACK] STREAMS …: a group may have any name, so names are stepped over.
function blocks(words: readonly unknown[], from: number): boolean {
  for (let index = from; index < words.length; index += 1) {
    const word = String(words[index]).toUpperCase();
    if (word === 'BLOCK') return true;
    if (word === 'STREAMS') return false;
    if (word === 'GROUP') index += 2;
    else if (word === 'COUNT') index += 1;
  }
  return false;
}

function isGreeting({ name, args }: IoredisCommand): boolean {
  return name === 'client' && /^setinfo$/i.test(String(args?.[0]));
}

// Whoever sent the command handles its failure; this branch of the promise must not report it again.
function settle(execution: QueryExecution, pending: unknown): void {
  void Promise.resolve(pending).then(
    () => execution.end({ failed: false }),
    () => execution.end({ failed: true }),
  );
}

/** Wraps a client. With ioredis each command of a pipeline is timed, with node-redis each pipeline as a whole. */
export function instrumentRedis(client: RedisClient, queries: Queries): void {
  if (!claim(client)) return;
  const sent = new WeakSet<object>();
  wrapMethod(client, 'sendCommand', (send) => (...args) => {
    const command = args[0] as Partial<IoredisCommand> | null;
    if (typeof command?.name === 'string' && command.promise !== undefined) {
      // ioredis sends a command again once it is connected. Its own greeting, which older servers refuse, is nobody's command.
      if (sent.has(command) || isGreeting(command as IoredisCommand)) return send(...args);
      sent.add(command);
      const execution = queries.beginStatement('redis', statementOf(command.name, command.args));
      settle(execution, command.promise);
      return send(...args);
    }
    const words = args.find(Array.isArray) as readonly unknown[] | undefined;
    const execution = queries.beginStatement('redis', statementOf(String(words?.[0]), words, 1));
    const pending = send(...args);
    settle(execution, pending);
    return pending;
  });
  instrumentNodeRedis(client, queries);
}

// node-redis hands out an object whose prototype does the work, and whose methods call that one.
function instrumentNodeRedis(client: RedisClient, queries: Queries): void {
  const inner = (client as { readonly _self?: object })._self;
  if (inner === undefined || !claim(inner)) return;
  const follow = (words: readonly unknown[], run: () => unknown): unknown => {
    const execution = queries.beginStatement('redis', statementOf(String(words[0]), words, 1));
    const pending = run();
    settle(execution, pending);
    return pending;
  };
  wrapMethod(inner, '_executeCommand', (execute) => (...args) => {
    const { redisArgs } = (args[1] ?? {}) as { readonly redisArgs?: readonly unknown[] };
    return follow(redisArgs ?? [], () => execute(...args));
  });
  for (const [method, name] of [
    ['_executePipeline', 'PIPELINE'],
    ['_executeMulti', 'MULTI'],
  ] as const) {
    wrapMethod(
      inner,
      method,
      (execute) =>
        (...args) =>
          follow([name], () => execute(...args)),
    );
  }
}
