/**
 * Values that JSON cannot carry, as tagged arrays inside JSON.
 *
 * A tagged value is an array whose first element is a string beginning with `\0`: `["\0date", 1700000000000]`. A real
 * array that begins so is itself wrapped (`["\0array", ...]`), hence the mapping is reversible for every input.
 * Whatever has no faithful form (functions, symbols, class instances, cycles) is refused, never approximated.
 */
import { CacheError } from '../errors.ts';

const maxDepth = 1000;

type Tagged = readonly [tag: string, ...rest: readonly unknown[]];

const typedArrays = new Map<string, (buffer: ArrayBuffer) => ArrayBufferView>([
  ['Uint8Array', (buffer) => new Uint8Array(buffer)],
  ['Uint8ClampedArray', (buffer) => new Uint8ClampedArray(buffer)],
  ['Uint16Array', (buffer) => new Uint16Array(buffer)],
  ['Uint32Array', (buffer) => new Uint32Array(buffer)],
  ['Int8Array', (buffer) => new Int8Array(buffer)],
  ['Int16Array', (buffer) => new Int16Array(buffer)],
  ['Int32Array', (buffer) => new Int32Array(buffer)],
  ['Float32Array', (buffer) => new Float32Array(buffer)],
  ['Float64Array', (buffer) => new Float64Array(buffer)],
  ['BigInt64Array', (buffer) => new BigInt64Array(buffer)],
  ['BigUint64Array', (buffer) => new BigUint64Array(buffer)],
  ['DataView', (buffer) => new DataView(buffer)],
]);

const errorClasses = new Map<string, ErrorConstructor>(
  [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError].map((type) => [
    type.name,
    type,
  ]),
);

function refuse(what: string): never {
  throw new CacheError(
    'ERR_WEIR_CACHE_UNSUPPORTED_VALUE',
    `Cannot store ${what} in Redis faithfully. Return plain data from the load (the entry stays in memory only).`,
  );
}

/**
 * The JSON-safe form of a value. Hands back the very same reference when nothing in it needs a tag, so that plain data
 * costs one walk and no copy. Throws `ERR_WEIR_CACHE_UNSUPPORTED_VALUE` for what has no faithful form.
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
  let copy: unknown[] | undefined;
  for (let index = 0; index < value.length; index += 1) {
    const item = index in value ? value[index] : hole;
    const tagged = item === hole ? ['\0hole'] : tag(item, ancestors);
    if (copy !== undefined) copy.push(tagged);
    else if (tagged !== item) copy = [...value.slice(0, index), tagged];
  }
  const first = value[0];
  if (typeof first === 'string' && first.startsWith('\0')) return ['\0array', ...(copy ?? value)];
  return copy ?? value;
}

const hole: unique symbol = Symbol('hole');

function tagRecord(value: object, ancestors: object[]): unknown {
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype === Object.prototype) return tagProperties(value, ancestors);
  if (prototype === null) return ['\0null', tagProperties(value, ancestors)];
  return tagBuiltin(value, ancestors);
}

function tagProperties(value: object, ancestors: object[]): object {
  let copy: Record<string, unknown> | undefined;
  if (Object.getOwnPropertySymbols(value).length > 0) refuse('a property keyed by a symbol');
  for (const [key, item] of Object.entries(value)) {
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

function tagBuiltin(value: object, ancestors: object[]): Tagged {
  if (value instanceof Date) return ['\0date', Number.isNaN(value.getTime()) ? null : value.getTime()];
  if (value instanceof Map) return ['\0map', ...tagArrayOf([...value].flat(1), ancestors)];
  if (value instanceof Set) return ['\0set', ...tagArrayOf([...value], ancestors)];
  if (Buffer.isBuffer(value)) return ['\0buffer', value.toString('base64')];
  if (value instanceof ArrayBuffer) return ['\0arraybuffer', Buffer.from(value).toString('base64')];
  if (ArrayBuffer.isView(value)) {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    return ['\0typed', value.constructor.name, bytes.toString('base64')];
  }
  if (value instanceof URL) return ['\0url', value.href];
  if (value instanceof RegExp) return ['\0regexp', value.source, value.flags];
  if (value instanceof Error && errorClasses.has(value.constructor.name)) return tagError(value, ancestors);
  return refuse(`an instance of ${value.constructor?.name || 'a class'}`);
}

function tagArrayOf(items: readonly unknown[], ancestors: object[]): readonly unknown[] {
  return items.map((item) => tag(item, ancestors));
}

function tagError(value: Error, ancestors: object[]): Tagged {
  const own: Record<string, unknown> = { ...value };
  if (Object.hasOwn(value, 'cause')) own.cause = value.cause;
  if (Object.hasOwn(value, 'name')) own.name = value.name;
  const { message, stack } = value;
  return ['\0error', value.constructor.name, message, stack ?? null, tagProperties(own, ancestors)];
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
      const make = typedArrays.get(String(first));
      if (make === undefined) throw new TypeError('unknown typed array in stored bytes');
      return make(ownBuffer(rest[1]));
    }
    case '\0url':
      return new URL(String(first));
    case '\0regexp':
      return new RegExp(String(first), String(rest[1]));
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
