/** Command and pool timing for the mongodb driver by its own monitoring events. A command's values are never read, only its shape. */
import { metricsError } from '../errors.ts';
import { claim, type InstrumentContext } from './driver.ts';
import type { QueryExecution } from './query-recorder.ts';
import { namedStatement, type Statement, StatementCache } from './statements.ts';

/** Whether `client` looks like a MongoClient. */
export function isMongoClient(client: object): client is MongoClientLike {
  return 'monitorCommands' in client && 'db' in client;
}

/** The members of a MongoClient that are used. */
interface MongoClientLike {
  readonly monitorCommands: boolean;
  readonly options: { readonly maxPoolSize?: number };
  on(event: string, listener: Listener): unknown;
}

interface Pending {
  readonly execution: QueryExecution;
  readonly isTailable: boolean;
}

type Listener = (event: Record<string, unknown>) => void;

const maxPending = 10_000;
const maxCursors = 10_000;
const commandName = /^[A-Za-z]\w{0,63}$/;

/** Follows a client. Throws ERR_WEIR_METRICS_INVALID_OPTION without `monitorCommands: true`: the driver then reports no commands. */
export function instrumentMongo(client: MongoClientLike, context: InstrumentContext): void {
  if (!client.monitorCommands)
    throw metricsError(
      'ERR_WEIR_METRICS_INVALID_OPTION',
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
    if (cursor !== undefined && tailed.size < maxCursors) tailed.add(cursor);
    ended.execution.end({ failed });
  };
  client.on('commandStarted', (event) => {
    if (pending.size >= maxPending) return;
    const command = event.command as Record<string, unknown>;
    const name = commandName.test(String(event.commandName)) ? String(event.commandName) : 'OTHER';
    const waits = name === 'getMore' && tailed.has(String(command.getMore));
    if (name === 'killCursors' && Array.isArray(command.cursors))
      for (const cursor of command.cursors) tailed.delete(String(cursor));
    const statement = (waits ? waiting : statements).get(describe(name, command));
    const execution = context.beginStatement('mongodb', statement);
    pending.set(keyOf(event), { execution, isTailable: waits || isTailable(command) });
  });
  client.on('commandSucceeded', (event) => end(event, false));
  client.on('commandFailed', (event) => end(event, true));
  followPool(client, context);
}

/** The literal-free shape of a command, after its name and its collection. */
function describe(name: string, command: Readonly<Record<string, unknown>>): string {
  const collection = name === 'getMore' ? command.collection : command[name];
  const target = typeof collection === 'string' ? ` ${collection}` : '';
  return `${name}${target} ${shapeOf({ ...command, [name]: undefined, collection: undefined })}`;
}

function summaryOf(shape: string): string {
  return shape.slice(0, shape.indexOf(' {')).slice(0, 255);
}

// A tailable cursor, such as that of a change stream, waits for new documents.
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

function followPool(client: MongoClientLike, context: InstrumentContext): void {
  const state = { open: 0, used: 0, pending: 0 };
  const waiting: number[] = [];
  const wait = context.followPool(client, ({ options }) => ({
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
    waiting.push(context.clock.now());
  });
  const leave = (): void => {
    state.pending -= 1;
    // The driver's queue is first come, first served.
    const startMs = waiting.shift();
    if (startMs !== undefined) wait.observe((context.clock.now() - startMs) / 1_000);
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

/*
 * The shape of a command: its operators, its stages, and the fields it filters and sorts by. Every value reads `?`.
 *
 * Field names can be data (`{ $set: { 'present.<user>': true } }`), and nothing distinguishes them from a schema's. A name is shown only in filters
 * and sorts, up to its first dot, and only if it is a plain word without digits; every other name reads `?`, and of equal neighbours one is kept. A
 * document without an operator is one value. Words of MongoDB's own language stay: operators and the parameters of commands.
 */
const maxDepth = 12;
/** Fields, elements and stages read of one object or list. */
const maxBreadth = 100;
/** Values read of one command. */
const maxNodes = 2_000;

const skippedParameters = new Set([
  'lsid',
  '$db',
  '$clusterTime',
  'txnNumber',
  '$readPreference',
  'cursor',
  'apiVersion',
]);
const operatorName = /^\$[a-z][A-Za-z]{0,40}$/;
const parameterName = /^[a-z][A-Za-z]{0,40}$/;
const fieldName = /^[A-Za-z_][A-Za-z_]{0,40}$/;

/** What the fields of an object name. */
type Role =
  /** Parameters of a command, or of one of its updates and deletes. */
  | 'command'
  /** Fields that are filtered or sorted by. */
  | 'filter'
  /** Anything: documents, updates, expressions. */
  | 'data';

const filterNames = new Set([
  'filter',
  'query',
  'q',
  'sort',
  'hint',
  'min',
  'max',
  'key',
  '$match',
  '$sort',
  '$elemMatch',
  '$not',
  '$and',
  '$or',
  '$nor',
]);
const commandNames = new Set(['updates', 'deletes', 'ops']);
/** The shape of a whole command. */
export function shapeOf(command: Readonly<Record<string, unknown>>): string {
  return new Shaper().object(command, 'command', 0);
}

class Shaper {
  #nodes = 0;

  /** The shape of a value whose fields have this role. */
  #value(value: unknown, role: Role, depth: number): string {
    this.#nodes += 1;
    if (typeof value !== 'object' || value === null || depth > maxDepth || this.#nodes > maxNodes) return '?';
    if (Array.isArray(value)) return this.#list(value, role, depth);
    const prototype: unknown = Object.getPrototypeOf(value);
    if ('_bsontype' in value || (prototype !== Object.prototype && prototype !== null)) return '?';
    return this.object(value as Readonly<Record<string, unknown>>, role, depth);
  }

  #list(values: readonly unknown[], role: Role, depth: number): string {
    const shapes: string[] = [];
    for (const value of values.slice(0, maxBreadth)) {
      const shape = this.#value(value, role, depth + 1);
      // The number of equal elements is data.
      if (shape !== shapes[shapes.length - 1]) shapes.push(shape);
    }
    return `[${shapes.join(', ')}]`;
  }

  object(value: Readonly<Record<string, unknown>>, role: Role, depth: number): string {
    const fields: string[] = [];
    let looked = 0;
    for (const name in value) {
      if (!Object.hasOwn(value, name) || (depth === 0 && skippedParameters.has(name))) continue;
      looked += 1;
      if (looked > maxBreadth) break;
      const shape = `${nameOf(name, role)}: ${this.#field(name, value[name], role, depth + 1)}`;
      if (shape !== fields[fields.length - 1]) fields.push(shape);
    }
    const shape = `{${fields.join(', ')}}`;
    // A document without an operator is a value as a whole.
    return role === 'data' && !shape.includes('$') ? '?' : shape;
  }

  #field(name: string, value: unknown, role: Role, depth: number): string {
    if (filterNames.has(name) && (role !== 'data' || name.startsWith('$')))
      return this.#value(value, 'filter', depth);
    if (commandNames.has(name) && role === 'command') return this.#value(value, 'command', depth);
    // `{ field: { $gt: 1 } }` is a condition, `{ field: { a: 1 } }` a value.
    if (role === 'filter' && !name.startsWith('$'))
      return isCondition(value) ? this.#value(value, 'filter', depth) : '?';
    // The shape of inserted documents is data too.
    return role === 'command' && name === 'documents' ? '?' : this.#value(value, 'data', depth);
  }
}

function isCondition(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  for (const name in value) return name.startsWith('$');
  return false;
}

function nameOf(name: string, role: Role): string {
  if (name.startsWith('$')) return operatorName.test(name) ? name : '?';
  if (role === 'command') return parameterName.test(name) ? name : '?';
  if (name === '_id') return name;
  if (role === 'data') return '?';
  const dot = name.indexOf('.');
  const head = dot === -1 ? name : name.slice(0, dot);
  if (!fieldName.test(head)) return '?';
  return dot === -1 ? head : `${head}.?`;
}
