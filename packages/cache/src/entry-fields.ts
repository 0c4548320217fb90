import type { TagVersion } from './codec/envelope.ts';
import { decode, encode } from './codec/envelope.ts';
import type { Core, Target } from './core.ts';
import { earlyFrom, staleMsOf } from './policies/freshness.ts';
import { validate } from './schema.ts';
import type { EntryFields } from './stores/entry.ts';
import type { RedisRead } from './stores/redis-store.ts';
import { sizeOf } from './stores/size-of.ts';
import { namespaceName } from './tags.ts';
import { isolate } from './values.ts';

/** A value just loaded or set. */
export interface NewValue {
  readonly value: unknown;
  readonly ttlMs: number;
  readonly loadMs: number;
  readonly stamp: string | undefined;
  readonly tags: readonly TagVersion[];
}

/** The names whose versions cover an entry beside its own tags: its namespace and its cache. */
export function implicitTags(target: Target): readonly string[] {
  return [namespaceName(target.namespace.name), namespaceName('*')];
}

// L1 is cleared outright with its namespace, so a hit need not compare those versions.
function ownTags(tags: readonly TagVersion[]): readonly TagVersion[] {
  return tags.length === 0 ? tags : tags.filter(([name]) => name.startsWith('t'));
}

/** The L1 form of a value that was just loaded or set. */
export function fieldsOfNew(core: Core, { policy }: Target, fresh: NewValue): EntryFields {
  const { value, loadMs } = fresh;
  const freshUntil = core.now() + fresh.ttlMs;
  return {
    value,
    stamp: fresh.stamp,
    freshUntil,
    revalidateUntil: freshUntil + policy.staleWhileRevalidateMs,
    graceUntil: freshUntil + staleMsOf(policy),
    loadMs,
    earlyFrom: earlyFrom(policy.earlyRefresh, loadMs, freshUntil),
    tags: ownTags(fresh.tags),
    sizeBytes: core.measuresBytes ? sizeOf(value) : 1,
    isCloned: policy.values === 'cloned',
  };
}

/** The L2 form of such a value, and how long Redis shall keep it. */
export function bytesOfNew(
  core: Core,
  { policy }: Target,
  fresh: NewValue & { readonly stamp: string },
): { readonly bytes: Buffer; readonly lifeMs: number } {
  const { value, stamp, loadMs, tags } = fresh;
  const staleMs = staleMsOf(policy);
  const bytes = encode({ value, stamp, freshMs: fresh.ttlMs, staleMs, loadMs, tags }, core.codec);
  return { bytes, lifeMs: fresh.ttlMs + staleMs };
}

/**
 * The L1 form of what Redis had; `undefined` for nothing, and for what does not decode, breaks its schema or has lost a
 * tag. `readAt` is when the read was sent: life is counted from there. Rejects when tags cannot be asked for.
 */
export async function fieldsOfRead(
  core: Core,
  { policy, schema }: Target,
  read: RedisRead,
  readAt: number,
): Promise<EntryFields | undefined> {
  if (read.bytes === undefined) return undefined;
  let value: unknown;
  let envelope: ReturnType<typeof decode>;
  try {
    envelope = decode(read.bytes, core.codec);
    value = schema === undefined ? envelope.value : await validate(schema, envelope.value);
  } catch {
    return undefined;
  }
  if (envelope.tags.some(([name]) => core.recovery.owes(name))) return undefined;
  if (!(await core.tags.areCurrent(envelope.tags))) return undefined;
  const { loadMs, staleMs } = envelope;
  const freshUntil = readAt + read.remainingMs - staleMs;
  return {
    value: isolate(value, policy.values === 'frozen' ? 'frozen' : 'shared'),
    stamp: envelope.stamp,
    freshUntil,
    revalidateUntil: freshUntil + Math.min(policy.staleWhileRevalidateMs, staleMs),
    graceUntil: freshUntil + staleMs,
    loadMs,
    earlyFrom: earlyFrom(policy.earlyRefresh, loadMs, freshUntil),
    tags: ownTags(envelope.tags),
    sizeBytes: core.measuresBytes ? sizeOf(value) : 1,
    isCloned: policy.values === 'cloned',
  };
}
