/**
 * The shape of a MongoDB command: its operators, its stages, and the fields that it searches and sorts by. Every value reads `?`.
 *
 * Names of fields can be data (`{ $set: { 'present.<user>': true } }`), and nothing tells them from a schema's. A name is only shown where it is
 * searched or sorted by, up to its first dot, if it is a plain word without digits; all others read `?`, and of equal ones next to each other
 * one is left. A document without an operator is one value. Words of MongoDB's own language stay: operators, and the parameters of commands.
 */

const MAX_DEPTH = 12;
/** Fields, elements and stages of one object or list that are looked at. */
const MAX_BREADTH = 100;
/** All that is looked at of one command. */
const MAX_NODES = 2_000;

const SKIPPED = new Set([
  'lsid',
  '$db',
  '$clusterTime',
  'txnNumber',
  '$readPreference',
  'cursor',
  'apiVersion',
]);
const OPERATOR = /^\$[a-z][A-Za-z]{0,40}$/;
const PARAMETER = /^[a-z][A-Za-z]{0,40}$/;
const FIELD = /^[A-Za-z_][A-Za-z_]{0,40}$/;

/** What the fields of an object name. */
type Role =
  /** Parameters of a command, or of one of its updates and deletes. */
  | 'command'
  /** Fields that are searched or sorted by. */
  | 'filter'
  /** Anything: documents, updates, expressions. */
  | 'data';

const FILTERS = new Set([
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
const COMMANDS = new Set(['updates', 'deletes', 'ops']);
/** The shape of a whole command. */
export function shapeOf(command: Readonly<Record<string, unknown>>): string {
  return new Shaper().object(command, 'command', 0);
}

class Shaper {
  #nodes = 0;

  /** The shape of a value whose fields are of this role. */
  #value(value: unknown, role: Role, depth: number): string {
    this.#nodes += 1;
    if (typeof value !== 'object' || value === null || depth > MAX_DEPTH || this.#nodes > MAX_NODES)
      return '?';
    if (Array.isArray(value)) return this.#list(value, role, depth);
    const prototype: unknown = Object.getPrototypeOf(value);
    if ('_bsontype' in value || (prototype !== Object.prototype && prototype !== null)) return '?';
    return this.object(value as Readonly<Record<string, unknown>>, role, depth);
  }

  #list(values: readonly unknown[], role: Role, depth: number): string {
    const shapes: string[] = [];
    for (const value of values.slice(0, MAX_BREADTH)) {
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
      if (!Object.hasOwn(value, name) || (depth === 0 && SKIPPED.has(name))) continue;
      looked += 1;
      if (looked > MAX_BREADTH) break;
      const shape = `${nameOf(name, role)}: ${this.#field(name, value[name], role, depth + 1)}`;
      if (shape !== fields[fields.length - 1]) fields.push(shape);
    }
    const shape = `{${fields.join(', ')}}`;
    // A document without an operator is a value as a whole.
    return role === 'data' && !shape.includes('$') ? '?' : shape;
  }

  #field(name: string, value: unknown, role: Role, depth: number): string {
    if (FILTERS.has(name) && (role !== 'data' || name.startsWith('$')))
      return this.#value(value, 'filter', depth);
    if (COMMANDS.has(name) && role === 'command') return this.#value(value, 'command', depth);
    // `{ field: { $gt: 1 } }` is a condition, `{ field: { a: 1 } }` a value.
    if (role === 'filter' && !name.startsWith('$'))
      return isCondition(value) ? this.#value(value, 'filter', depth) : '?';
    // The form of documents is data too.
    return role === 'command' && name === 'documents' ? '?' : this.#value(value, 'data', depth);
  }
}

function isCondition(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  for (const name in value) return name.startsWith('$');
  return false;
}

function nameOf(name: string, role: Role): string {
  if (name.startsWith('$')) return OPERATOR.test(name) ? name : '?';
  if (role === 'command') return PARAMETER.test(name) ? name : '?';
  if (name === '_id') return name;
  if (role === 'data') return '?';
  const dot = name.indexOf('.');
  const head = dot === -1 ? name : name.slice(0, dot);
  if (!FIELD.test(head)) return '?';
  return dot === -1 ? head : `${head}.?`;
}
