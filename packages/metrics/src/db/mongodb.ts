/** Command and pool timing for the mongodb driver by its own monitoring events. Values of documents are never read, only their shape. */
import { metricsError } from '../errors.ts';
import type { InstrumentContext } from './client-owner.ts';
import { claim } from './instrumented.ts';
import { shapeOf } from './mongodb-shape.ts';
import type { QueryExecution } from './query-recorder.ts';
import { namedStatement, type Statement, StatementCache } from './statements.ts';

type Listener = (event: Record<string, unknown>) => void;

/** What is used of a MongoClient. */
export interface MongoClientLike {
  readonly monitorCommands: boolean;
  readonly options: { readonly maxPoolSize?: number };
  on(event: string, listener: Listener): unknown;
}

interface Pending {
  readonly execution: QueryExecution;
  readonly isTailable: boolean;
}

/** Whether `client` looks like a MongoClient. */
export function isMongoClient(client: object): client is MongoClientLike {
  return 'monitorCommands' in client && 'db' in client;
}

const MAX_PENDING = 10_000;
const MAX_CURSORS = 10_000;
const NAME = /^[A-Za-z]\w{0,63}$/;

/** The literal-free shape of a command, after its name and its collection. */
function describe(name: string, command: Readonly<Record<string, unknown>>): string {
  const collection = name === 'getMore' ? command.collection : command[name];
  const target = typeof collection === 'string' ? ` ${collection}` : '';
  return `${name}${target} ${shapeOf({ ...command, [name]: undefined, collection: undefined })}`;
}

function summaryOf(shape: string): string {
  return shape.slice(0, shape.indexOf(' {')).slice(0, 255);
}

// A tailable cursor, as that of a change stream, waits for what comes next.
function isTailable(command: Readonly<Record<string, unknown>>): boolean {
  const stage = Array.isArray(command.pipeline)
    ? (command.pipeline[0] as object | null | undefined)
    : undefined;
  return (
    command.tailable === true ||
    command.awaitData === true ||
    (stage !== null && stage !== undefined && '$changeStream' in stage)
  );
}

function cursorOf(event: Record<string, unknown>): string | undefined {
  const id = (event.reply as { readonly cursor?: { readonly id?: unknown } } | undefined)?.cursor?.id;
  return id === undefined ? undefined : String(id);
}

/** Follows a client. It must have been made with `monitorCommands: true`, else the driver says nothing of its commands. */
export function instrumentMongo(client: MongoClientLike, context: InstrumentContext): void {
  const { queries } = context;
  if (!client.monitorCommands)
    throw metricsError(
      'ERR_WEIR_METRICS_OPTION',
      'monitorCommands',
      '`true` in the options of MongoClient',
      client.monitorCommands,
    );
  if (!claim(client)) return;
  const statements = new StatementCache((shape): Statement => namedStatement(summaryOf(shape), shape));
  const waiting = new StatementCache(
    (shape): Statement => namedStatement(summaryOf(shape), `${shape} of a tailable cursor`, true),
  );
  const pending = new Map<string, Pending>();
  const tailed = new Set<string>();
  const keyOf = (event: Record<string, unknown>): string =>
    `${String(event.connectionId)} ${String(event.requestId)}`;
  const end = (event: Record<string, unknown>, failed: boolean): void => {
    const key = keyOf(event);
    const ended = pending.get(key);
    if (ended === undefined) return;
    pending.delete(key);
    const cursor = ended.isTailable ? cursorOf(event) : undefined;
    if (cursor !== undefined && tailed.size < MAX_CURSORS) tailed.add(cursor);
    queries.end(ended.execution, { failed });
  };
  client.on('commandStarted', (event) => {
    if (pending.size >= MAX_PENDING) return;
    const command = event.command as Record<string, unknown>;
    const name = NAME.test(String(event.commandName)) ? String(event.commandName) : 'OTHER';
    const waits = name === 'getMore' && tailed.has(String(command.getMore));
    if (name === 'killCursors' && Array.isArray(command.cursors))
      for (const cursor of command.cursors) tailed.delete(String(cursor));
    const statement = (waits ? waiting : statements).get(describe(name, command));
    const execution = queries.beginStatement('mongodb', statement);
    pending.set(keyOf(event), { execution, isTailable: waits || isTailable(command) });
  });
  client.on('commandSucceeded', (event) => end(event, false));
  client.on('commandFailed', (event) => end(event, true));
  followPool(client, context);
}

function followPool(client: MongoClientLike, { name, pools, now }: InstrumentContext): void {
  const state = { open: 0, used: 0, pending: 0 };
  const waiting: number[] = [];
  const wait = pools.add(name, client, ({ options }) => ({
    idle: state.open - state.used,
    used: state.used,
    max: options.maxPoolSize ?? 100,
    pending: state.pending,
  }));
  client.on('connectionCreated', () => {
    state.open += 1;
  });
  client.on('connectionClosed', () => {
    state.open -= 1;
  });
  client.on('connectionCheckOutStarted', () => {
    state.pending += 1;
    waiting.push(now());
  });
  const leave = (): void => {
    state.pending -= 1;
    // The driver's queue is first come, first served.
    const startMs = waiting.shift();
    if (startMs !== undefined) wait.observe((now() - startMs) / 1_000);
  };
  client.on('connectionCheckedOut', () => {
    leave();
    state.used += 1;
  });
  client.on('connectionCheckOutFailed', leave);
  client.on('connectionCheckedIn', () => {
    state.used -= 1;
  });
}
