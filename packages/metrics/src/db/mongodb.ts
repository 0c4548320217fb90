/** Command and pool timing for the mongodb driver by its own monitoring events. Values of documents are never read, only their shape. */
import { metricsError } from '../errors.ts';
import type { InstrumentContext } from './instrument.ts';
import { claim } from './instrumented.ts';
import type { QueryExecution } from './query-recorder.ts';
import { namedStatement } from './statements.ts';

type Listener = (event: Record<string, unknown>) => void;

/** What is used of a MongoClient. */
export interface MongoClientLike {
  readonly monitorCommands: boolean;
  readonly options: { readonly maxPoolSize?: number };
  on(event: string, listener: Listener): unknown;
}

/** Whether `client` looks like a MongoClient. */
export function isMongoClient(client: object): client is MongoClientLike {
  return 'monitorCommands' in client && 'db' in client;
}

const MAX_PENDING = 10_000;
const MAX_DEPTH = 6;
const SKIPPED = new Set([
  'lsid',
  '$db',
  '$clusterTime',
  'txnNumber',
  '$readPreference',
  'cursor',
  'apiVersion',
]);

/** The field names and operators of a command: every value reads `?`, every list shows its first element. */
export function shapeOf(value: unknown, depth = 0): string {
  if (Array.isArray(value)) return value.length === 0 ? '[]' : `[${shapeOf(value[0], depth + 1)}]`;
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH || '_bsontype' in value) return '?';
  if (Object.getPrototypeOf(value) !== Object.prototype && Object.getPrototypeOf(value) !== null) return '?';
  const fields = Object.entries(value).filter(([name]) => !SKIPPED.has(name));
  return `{${fields.map(([name, inner]) => `${name}: ${shapeOf(inner, depth + 1)}`).join(', ')}}`;
}

function describe(
  name: string,
  command: Readonly<Record<string, unknown>>,
): ReturnType<typeof namedStatement> {
  const collection = name === 'getMore' ? command.collection : command[name];
  const target = typeof collection === 'string' ? ` ${collection}` : '';
  return namedStatement(
    `${name}${target}`.slice(0, 255),
    `${name}${target} ${shapeOf({ ...command, [name]: undefined, collection: undefined })}`,
  );
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
  const pending = new Map<string, QueryExecution>();
  const keyOf = (event: Record<string, unknown>): string =>
    `${String(event.connectionId)} ${String(event.requestId)}`;
  const end = (event: Record<string, unknown>, failed: boolean): void => {
    const key = keyOf(event);
    const execution = pending.get(key);
    if (execution === undefined) return;
    pending.delete(key);
    queries.end(execution, { failed });
  };
  client.on('commandStarted', (event) => {
    if (pending.size >= MAX_PENDING) return;
    const statement = describe(String(event.commandName), event.command as Record<string, unknown>);
    pending.set(keyOf(event), queries.beginStatement('mongodb', statement));
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
