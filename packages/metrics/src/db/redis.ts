/**
 * Command timing for ioredis and node-redis. Only a command's name is read, and the option BLOCK of XREAD and XREADGROUP; keys and values are not.
 * The clients' diagnostics channels are not used: they serve the whole process and publish keys.
 */
import { type AnyFunction, claim, type Queries, wrapMethod } from './driver.ts';
import type { QueryExecution } from './query-recorder.ts';
import { namedStatement, type Statement } from './statements.ts';

/** Whether `client` is a client or cluster of ioredis or of node-redis. */
export function isRedisClient(client: object): client is RedisClient {
  return typeof (client as { sendCommand?: unknown }).sendCommand === 'function';
}

/** The members of either client that are used. */
interface RedisClient {
  sendCommand: AnyFunction;
}

/** Wraps a client. With ioredis each command of a pipeline is timed, with node-redis each pipeline as a whole. */
export function instrumentRedis(client: RedisClient, queries: Queries): void {
  if (!claim(client)) return;
  const sent = new WeakSet<object>();
  wrapMethod(client, 'sendCommand', (send) => (...args) => {
    const command = args[0] as Partial<IoredisCommand> | null;
    if (typeof command?.name === 'string' && command.promise !== undefined) {
      // ioredis sends a queued command a second time once it is connected. Its own greeting is not a command of the program.
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

interface IoredisCommand {
  readonly name: string;
  readonly args?: readonly unknown[];
  readonly promise: Promise<unknown>;
}

function isGreeting({ name, args }: IoredisCommand): boolean {
  return name === 'client' && /^setinfo$/i.test(String(args?.[0]));
}

// A node-redis client is an object whose prototype, `_self`, runs the commands.
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

// The caller handles a rejection; this branch of the promise must not report it as unhandled.
function settle(execution: QueryExecution, pending: unknown): void {
  void Promise.resolve(pending).then(
    () => execution.end({ failed: false }),
    () => execution.end({ failed: true }),
  );
}

const statements = new Map<string, Statement>();
const commandName = /^[A-Za-z][A-Za-z._-]{0,31}$/;
/** Commands that wait on purpose: for an element, for replicas. */
const waitingCommand =
  /^(?:BLPOP|BRPOP|BLMOVE|BLMPOP|BRPOPLPUSH|BZPOPMIN|BZPOPMAX|BZMPOP|WAIT|WAITAOF|XREAD BLOCK|XREADGROUP BLOCK)$/;

// Names usually come from code, but may come from input: odd names, and names past a bound, share one statement.
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

// XREADGROUP GROUP group consumer [COUNT n] [BLOCK ms] [NOACK] STREAMS …: a group may have any name, so names are skipped.
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
