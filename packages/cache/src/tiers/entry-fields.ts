import type { EntryFields } from '../memory/memory-store.ts';
import { earlyFrom, staleMsOf } from '../policy.ts';
import type { RedisRead } from '../redis/redis-store.ts';
import { type Body, decode, type Envelope, encode, type TagVersion } from '../values/envelope.ts';
import { applySchema, keep } from '../values/value.ts';
import type { Core, Target } from './core.ts';

/** A value just loaded or set. */
export interface NewValue {
  /** The value that readers get, as L1 keeps it. */
  readonly value: unknown;
  /** Returns what Redis keeps: the value before its schema was applied, because every process applies its own. May throw. */
  readonly body: () => Body;
  readonly ttlMs: number;
  readonly loadMs: number;
  readonly stamp: string | undefined;
  readonly tags: readonly TagVersion[];
  /** The moment (`TagRegistry.mark`) as of which the tags were current. */
  readonly tagsAsOf: number;
}

/** The names whose versions cover an entry: its namespace, its cache, and its own tags. */
export function coveringNames({ namespace, tags }: Target): readonly string[] {
  return tags.length === 0 ? namespace.coveringNames : [...namespace.coveringNames, ...tags];
}

// L1 is cleared outright with its namespace, so a hit need not compare those versions.
function ownTags(tags: readonly TagVersion[]): readonly TagVersion[] {
  return tags.length === 0 ? tags : tags.filter(([name]) => name.startsWith('t'));
}

/** The L1 form of a value that was just loaded or set. */
export function fieldsOfNew(core: Core, { policy }: Target, fresh: NewValue): EntryFields {
  const { value, loadMs } = fresh;
  const freshUntil = core.clock.now() + fresh.ttlMs;
  return {
    value,
    stamp: fresh.stamp,
    freshUntil,
    revalidateUntil: freshUntil + policy.staleWhileRevalidateMs,
    graceUntil: freshUntil + staleMsOf(policy),
    loadMs,
    earlyFrom: earlyFrom(policy.earlyRefresh, loadMs, freshUntil),
    tags: ownTags(fresh.tags),
    tagsAsOf: fresh.tagsAsOf,
    sizeBytes: core.measure(value),
    isCloned: policy.values === 'cloned',
  };
}

/** The Redis form of a value that was just loaded or set: its bytes, how long it is fresh, and how long Redis keeps it. */
export function payloadOfNew(
  core: Core,
  { policy }: Target,
  fresh: Omit<NewValue, 'tagsAsOf'> & { readonly stamp: string },
): { readonly payload: string | Buffer; readonly freshMs: number; readonly lifeMs: number } {
  const { body, stamp, loadMs, tags, ttlMs } = fresh;
  const staleMs = staleMsOf(policy);
  const payload = encode({ body: body(), stamp, freshMs: ttlMs, staleMs, loadMs, tags }, core.codec);
  return { payload, freshMs: ttlMs, lifeMs: ttlMs + staleMs };
}

/**
 * The L1 form of an entry read from Redis; `undefined` if there is none, or if it cannot be decoded, breaks its schema or has an
 * invalid tag. A promise only if a schema or Redis has to be asked; it rejects when Redis cannot be asked by `until`.
 */
export function fieldsOfRead(
  core: Core,
  target: Target,
  read: RedisRead,
  until: number,
): EntryFields | undefined | Promise<EntryFields | undefined> {
  if (read.bytes === undefined) return undefined;
  let envelope: Envelope;
  try {
    envelope = decode(read.bytes, core.codec);
  } catch {
    return undefined;
  }
  if (core.recovery.size > 0 && envelope.tags.some(([name]) => core.recovery.owes(name))) return undefined;
  const tagsAsOf = core.tags.mark();
  const isCurrent = core.tags.check(envelope.tags, tagsAsOf);
  if (isCurrent === false) return undefined;
  const found: Found = { read, envelope, tagsAsOf };
  if (isCurrent === undefined || target.schema !== undefined) {
    return checkedFields(core, target, found, until);
  }
  return fieldsOf(core, target, found, envelope.value);
}

interface Found {
  readonly read: RedisRead;
  readonly envelope: Envelope;
  readonly tagsAsOf: number;
}

async function checkedFields(
  core: Core,
  target: Target,
  found: Found,
  until: number,
): Promise<EntryFields | undefined> {
  const { envelope, tagsAsOf } = found;
  let { value } = envelope;
  try {
    if (target.schema !== undefined) value = await applySchema(target.schema, value, target.definition);
  } catch {
    return undefined;
  }
  if (!(await core.tags.areCurrent(envelope.tags, tagsAsOf, until))) return undefined;
  return fieldsOf(core, target, found, value);
}

function fieldsOf(
  core: Core,
  { policy }: Target,
  { envelope, read, tagsAsOf }: Found,
  value: unknown,
): EntryFields {
  const { freshMs, loadMs, staleMs, stamp, tags } = envelope;
  // An entry is never fresh for longer than when it was written, even if a clock was set.
  const freshUntil = Math.min(read.freshUntil, core.clock.now() + freshMs);
  return {
    // The value was just decoded: no caller shares it yet, so it needs no copy.
    value: policy.values === 'frozen' ? keep(value, 'frozen') : value,
    stamp,
    freshUntil,
    revalidateUntil: freshUntil + Math.min(policy.staleWhileRevalidateMs, staleMs),
    graceUntil: freshUntil + staleMs,
    loadMs,
    earlyFrom: earlyFrom(policy.earlyRefresh, loadMs, freshUntil),
    tags: ownTags(tags),
    tagsAsOf,
    sizeBytes: core.measure(value),
    isCloned: policy.values === 'cloned',
  };
}
