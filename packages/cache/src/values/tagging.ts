/**
 * Values that JSON cannot carry, as tagged arrays inside JSON.
 *
 * A tagged value is an array whose first element is a string beginning with `\0`: `["\0date", 1700000000000]`. A real
 * array that begins so is itself wrapped (`["\0array", ...]`), hence the mapping is reversible for every input.
 * Whatever has no faithful form (functions, symbols, class instances, subclasses of built-in classes, properties added to
 * built-in objects, cycles) is refused, never approximated.
 */
import { isDeepStrictEqual } from 'node:util';

const maxDepth = 1000;

type Tagged = readonly [tag: string, ...rest: readonly unknown[]];

type View = new (buffer: ArrayBuffer, byteOffset?: number, length?: number) => ArrayBufferView;

const views = new Map<string, View>(
  [
    Uint8Array,
    Uint8ClampedArray,
    Uint16Array,
    Uint32Array,
    Int8Array,
    Int16Array,
    Int32Array,
    Float32Array,
    Float64Array,
    BigInt64Array,
    BigUint64Array,
    DataView,
  ].map((type) => [type.name, type as View]),
);

const errorClasses = new Map<string, ErrorConstructor>(
  [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError].map((type) => [
    type.name,
    type,
  ]),
);

/** A value has no faithful form. The message names the part: `a cyclic value`, `an instance of Account`. */
export class Untaggable extends Error {}

function refuse(what: string): never {
  throw new Untaggable(what);
}

/**
 * The JSON-safe form of a value. Hands back the very same reference when nothing in it needs a tag, so that plain data
 * costs one walk and no copy. Throws `Untaggable` for what has no faithful form.
 */
export function tag(value: unknown, ancestors: object[] = []): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      if (Number.isFinite(value) && !Object.is(value, -0)) return value;
      return ['\0number', Object.is(value, -0) ? '-0' : String(value)];
    case 'undefined':
      return ['\0undefined'];
    case 'bigint':
      return ['\0bigint', value.toString()];
    case 'object':
      return value === null ? null : tagObject(value, ancestors);
    default:
      return refuse(`a ${typeof value}`);
  }
}

function tagObject(value: object, ancestors: object[]): unknown {
  if (ancestors.includes(value)) refuse('a cyclic value');
  if (ancestors.length >= maxDepth) refuse(`a value nested deeper than ${maxDepth}`);
  ancestors.push(value);
  const result = Array.isArray(value) ? tagArray(value, ancestors) : tagRecord(value, ancestors);
  ancestors.pop();
  return result;
}

function tagArray(value: readonly unknown[], ancestors: object[]): unknown {
  if (Object.getPrototypeOf(value) !== Array.prototype) refuse(instanceOf(value));
  let copy: unknown[] | undefined;
  let items = 0;
  for (let index = 0; index < value.length; index += 1) {
    const item = Object.hasOwn(value, index) ? value[index] : hole;
    if (item !== hole) items += 1;
    const tagged = item === hole ? ['\0hole'] : tag(item, ancestors);
    if (copy !== undefined) copy.push(tagged);
    else if (tagged !== item) copy = [...value.slice(0, index), tagged];
  }
  if (hasMoreThan(items, value)) refuse('an array with properties of its own');
  const first = value[0];
  if (typeof first === 'string' && first.startsWith('\0')) return ['\0array', ...(copy ?? value)];
  return copy ?? value;
}

const hole: unique symbol = Symbol('hole');

// Listing the keys of a long array costs more than to write it as JSON; comparing it with its copy does not.
function hasMoreThan(items: number, value: readonly unknown[]): boolean {
  if (value.length > 64) return !isDeepStrictEqual(value, value.slice());
  // One of them is its length.
  return Reflect.ownKeys(value).length > items + 1;
}

function tagRecord(value: object, ancestors: object[]): unknown {
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype === Object.prototype) return tagProperties(value, ancestors);
  if (prototype === null) return ['\0null', tagProperties(value, ancestors)];
  return tagBuiltin(value, ancestors);
}

function tagProperties(value: object, ancestors: object[]): object {
  let copy: Record<string, unknown> | undefined;
  if (Object.getOwnPropertySymbols(value).length > 0) refuse('a property keyed by a symbol');
  const entries = Object.entries(value);
  if (Object.getOwnPropertyNames(value).length > entries.length) refuse('a property that is not enumerable');
  for (const [key, item] of entries) {
    if (key === '__proto__') refuse('a property named `__proto__`');
    const tagged = tag(item, ancestors);
    if (copy === undefined && tagged !== item) copy = { ...value };
    if (copy !== undefined) copy[key] = tagged;
  }
  // JSON.stringify would call it.
  if (typeof (copy ?? (value as Record<string, unknown>)).toJSON === 'function')
    refuse('a value with `toJSON`');
  return copy ?? value;
}

// What is added to a built-in object, by a subclass or by hand, would be lost.
function isPlain(value: object, type: { readonly prototype: object; readonly name: string }): boolean {
  if (Object.getPrototypeOf(value) !== type.prototype) return false;
  if (Reflect.ownKeys(value).length === 0) return true;
  const hasMore = Object.keys(value).length > 0 || Object.getOwnPropertySymbols(value).length > 0;
  return hasMore ? refuse(`a ${type.name} with properties of its own`) : true;
}

function tagBuiltin(value: object, ancestors: object[]): Tagged {
  if (isPlain(value, Date)) {
    const time = (value as Date).getTime();
    return ['\0date', Number.isNaN(time) ? null : time];
  }
  if (ArrayBuffer.isView(value)) return tagView(value);
  if (value instanceof Error) return tagError(value, ancestors);
  if (isPlain(value, Map)) {
    return ['\0map', ...tagArrayOf([...(value as Map<unknown, unknown>)].flat(1), ancestors)];
  }
  if (isPlain(value, Set)) return ['\0set', ...tagArrayOf([...(value as Set<unknown>)], ancestors)];
  if (isPlain(value, ArrayBuffer) && !(value as ArrayBuffer).resizable) {
    return ['\0arraybuffer', Buffer.from(value as ArrayBuffer).toString('base64')];
  }
  if (isPlain(value, URL)) return ['\0url', (value as URL).href];
  if (isPlain(value, RegExp)) {
    const { flags, lastIndex, source } = value as RegExp;
    return lastIndex === 0 ? ['\0regexp', source, flags] : ['\0regexp', source, flags, lastIndex];
  }
  return refuse(instanceOf(value));
}

function instanceOf(value: object): string {
  const { constructor: type } = value;
  return `an instance of ${(typeof type === 'function' && type.name) || 'a class'}`;
}

function tagView(value: ArrayBufferView): Tagged {
  checkView(value);
  const bytes = Buffer.from(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength).toString(
    'base64',
  );
  return Buffer.isBuffer(value) ? ['\0buffer', bytes] : ['\0typed', value.constructor.name, bytes];
}

/** Throws `Untaggable` for bytes that are more than bytes: those of a subclass, shared ones, or with properties of their own. */
export function checkView(value: ArrayBufferView): void {
  const { buffer, byteLength, byteOffset } = value;
  if (!(buffer instanceof ArrayBuffer) || buffer.resizable) refuse('bytes that can be shared or resized');
  const type = Buffer.isBuffer(value) ? Buffer : views.get(value.constructor?.name);
  if (type === undefined || Object.getPrototypeOf(value) !== type.prototype) refuse(instanceOf(value));
  // Compared with a view of the same memory: to list the keys of a long one would cost more than to store it.
  const same =
    type === Buffer
      ? Buffer.from(buffer, byteOffset, byteLength)
      : new (type as View)(
          buffer,
          byteOffset,
          byteLength / ((value as { BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT ?? 1),
        );
  if (!isDeepStrictEqual(value, same)) refuse(`a ${type.name} with properties of its own`);
}

function tagArrayOf(items: readonly unknown[], ancestors: object[]): readonly unknown[] {
  return items.map((item) => tag(item, ancestors));
}

function tagError(value: Error, ancestors: object[]): Tagged {
  const type = errorClasses.get(value.constructor?.name);
  if (type === undefined || Object.getPrototypeOf(value) !== type.prototype) return refuse(instanceOf(value));
  const own: Record<string, unknown> = { ...value };
  if (Object.hasOwn(value, 'cause')) own.cause = value.cause;
  if (Object.hasOwn(value, 'name')) own.name = value.name;
  const { message, stack } = value;
  return ['\0error', type.name, message, stack ?? null, tagProperties(own, ancestors)];
}

/** Inverse of `tag`. Throws on anything `tag` cannot have made, `__proto__` properties included. */
export function untag(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (!Array.isArray(value)) {
    for (const key of Object.keys(value)) {
      if (key === '__proto__') throw new TypeError('`__proto__` in stored bytes');
      (value as Record<string, unknown>)[key] = untag((value as Record<string, unknown>)[key]);
    }
    return value;
  }
  const first: unknown = value[0];
  if (typeof first === 'string' && first.startsWith('\0')) return revive(value as unknown as Tagged);
  for (let index = 0; index < value.length; index += 1) {
    const item: unknown = value[index];
    if (Array.isArray(item) && item.length === 1 && item[0] === '\0hole') delete value[index];
    else value[index] = untag(item);
  }
  return value;
}

function bytesOf(value: unknown): Buffer {
  if (typeof value !== 'string') throw new TypeError('stored bytes are no string');
  return Buffer.from(value, 'base64');
}

// A copy with a buffer of its own: a Buffer may be a view of a shared pool.
function ownBuffer(value: unknown): ArrayBuffer {
  return new Uint8Array(bytesOf(value)).buffer;
}

function revive([name, ...rest]: Tagged): unknown {
  const [first] = rest;
  switch (name) {
    case '\0array':
      return reviveItems(rest);
    case '\0undefined':
      return undefined;
    case '\0number':
      return first === '-0' ? -0 : Number(first);
    case '\0bigint':
      return BigInt(String(first));
    case '\0date':
      return new Date(first === null ? Number.NaN : Number(first));
    case '\0map': {
      const map = new Map<unknown, unknown>();
      for (let index = 0; index < rest.length; index += 2)
        map.set(untag(rest[index]), untag(rest[index + 1]));
      return map;
    }
    case '\0set':
      return new Set(rest.map((item) => untag(item)));
    case '\0null':
      return Object.setPrototypeOf(untag(first), null);
    case '\0buffer':
      return bytesOf(first);
    case '\0arraybuffer':
      return ownBuffer(first);
    case '\0typed': {
      const type = views.get(String(first));
      if (type === undefined) throw new TypeError('unknown typed array in stored bytes');
      return new type(ownBuffer(rest[1]));
    }
    case '\0url':
      return new URL(String(first));
    case '\0regexp': {
      const pattern = new RegExp(String(first), String(rest[1]));
      pattern.lastIndex = Number(rest[2] ?? 0);
      return pattern;
    }
    case '\0error':
      return reviveError(rest);
    default:
      throw new TypeError('unknown tag in stored bytes');
  }
}

// `untag` of the items after an `\0array` tag, whose own first item may look like a tag again.
function reviveItems(items: readonly unknown[]): unknown[] {
  const result: unknown[] = [];
  result.length = items.length;
  items.forEach((item, index) => {
    if (Array.isArray(item) && item.length === 1 && item[0] === '\0hole') return;
    result[index] = untag(item);
  });
  return result;
}

function reviveError([className, message, stack, own]: readonly unknown[]): Error {
  const type = errorClasses.get(String(className));
  if (type === undefined || typeof own !== 'object' || own === null)
    throw new TypeError('unknown error in stored bytes');
  const { cause, name, ...properties } = untag(own) as Record<string, unknown>;
  const error = new type(String(message), Object.hasOwn(own, 'cause') ? { cause } : undefined);
  Object.assign(error, properties);
  if (Object.hasOwn(own, 'name'))
    Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true });
  const descriptor = { configurable: true, writable: true, enumerable: false };
  Object.defineProperty(error, 'stack', { ...descriptor, value: stack ?? undefined });
  return error;
}
