/**
 * Command timing for ioredis and node-redis. Only a command's name is ever looked at: keys and values stay out. The clients'
 * diagnostics channels are not used: they serve the whole process at once and hand out keys.
 */
import { type AnyFunction, claim, wrapMethod } from './instrumented.ts';
import type { QueryExecution, QueryRecorder } from './query-recorder.ts';
import { namedStatement, type Statement } from './statements.ts';

/** What is used of either client. */
export interface RedisClient {
  sendCommand: AnyFunction;
}

interface IoredisCommand {
  readonly name: string;
  readonly promise: Promise<unknown>;
}

/** Whether `client` is a client or cluster of ioredis or of node-redis. */
export function isRedisClient(client: object): client is RedisClient {
  return typeof (client as { sendCommand?: unknown }).sendCommand === 'function';
}

const statements = new Map<string, Statement>();
const COMMAND = /^[A-Za-z][A-Za-z._-]{0,31}$/;

// Names come from code, but nothing says that they must: odd ones and those past a bound share one statement.
function statementOf(command: string): Statement {
  const name = COMMAND.test(command) ? command.toUpperCase() : 'OTHER';
  const known = statements.get(name);
  if (known !== undefined) return known;
  if (statements.size >= 500) return namedStatement('OTHER');
  const statement = namedStatement(name);
  statements.set(name, statement);
  return statement;
}

// Whoever sent the command handles its failure; this branch of the promise must not report it again.
function settle(execution: QueryExecution, pending: unknown, queries: QueryRecorder): void {
  void Promise.resolve(pending).then(
    () => queries.end(execution, { failed: false }),
    () => queries.end(execution, { failed: true }),
  );
}

/** Wraps a client. With ioredis each command of a pipeline is timed, with node-redis each pipeline as a whole. */
export function instrumentRedis(client: RedisClient, queries: QueryRecorder): void {
  if (!claim(client)) return;
  const sent = new WeakSet<object>();
  wrapMethod(client, 'sendCommand', (send) => (...args) => {
    const command = args[0] as Partial<IoredisCommand> | null;
    if (typeof command?.name === 'string' && command.promise !== undefined) {
      // ioredis sends a command again once it is connected.
      if (sent.has(command)) return send(...args);
      sent.add(command);
      const execution = queries.beginStatement('redis', statementOf(command.name));
      settle(execution, command.promise, queries);
      return send(...args);
    }
    const words = args.find(Array.isArray) as readonly unknown[] | undefined;
    const execution = queries.beginStatement('redis', statementOf(String(words?.[0])));
    const pending = send(...args);
    settle(execution, pending, queries);
    return pending;
  });
  instrumentNodeRedis(client, queries);
}

// node-redis hands out an object whose prototype does the work, and whose methods call that one.
function instrumentNodeRedis(client: RedisClient, queries: QueryRecorder): void {
  const inner = (client as { readonly _self?: object })._self;
  if (inner === undefined || !claim(inner)) return;
  const follow = (name: string, run: () => unknown): unknown => {
    const execution = queries.beginStatement('redis', statementOf(name));
    const pending = run();
    settle(execution, pending, queries);
    return pending;
  };
  wrapMethod(inner, '_executeCommand', (execute) => (...args) => {
    const { redisArgs } = (args[1] ?? {}) as { readonly redisArgs?: readonly unknown[] };
    return follow(String(redisArgs?.[0]), () => execute(...args));
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
          follow(name, () => execute(...args)),
    );
  }
}
