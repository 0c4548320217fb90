import { Coherence } from './coherence/coherence.ts';
import { TagRegistry } from './coherence/tag-registry.ts';
import { MemoryStore } from './memory/memory-store.ts';
import { namespaceName } from './names.ts';
import type { ResolvedOptions } from './options.ts';
import { Leases } from './redis/leases.ts';
import { RecoveryQueue } from './redis/recovery-queue.ts';
import { RedisCommands } from './redis/redis-commands.ts';
import { RedisStore } from './redis/redis-store.ts';
import { Counters } from './stats.ts';
import type { Core } from './tiers/core.ts';
import { Writer } from './tiers/writer.ts';
import { sizeAtAGlance, sizeOf } from './values/value.ts';

const pingMs = 1_000;

/** Makes the parts of one cache and ties them together. */
export function assemble(
  options: ResolvedOptions,
  assertOpen: () => void,
): { readonly core: Core; readonly writer: Writer } {
  const { l1, l2, clock, name, random, redis: link, version } = options;
  const counters = new Counters();
  const memory = new MemoryStore(l1, counters);
  let redis: RedisStore | undefined;
  if (link !== undefined) {
    const prefix = `${l2.prefix}:${name}@${version}:`;
    const commands = new RedisCommands({
      cache: name,
      link,
      prefix,
      deadlineMs: l2.deadlineMs,
      breaker: { failures: l2.breakerFailures, openMs: l2.breakerOpenMs },
      counters,
      clock,
      onRecovered: () => {
        leases?.drain();
        void recovery.drain();
      },
    });
    redis = new RedisStore(commands, prefix, l2.leaseMs, clock);
  }
  const leases = redis === undefined ? undefined : new Leases(redis);
  const tags = new TagRegistry(redis?.tags, memory, clock);
  const everything = namespaceName('*');
  const recovery = new RecoveryQueue({
    max: l2.recoveryMax,
    retryMs: l2.breakerOpenMs,
    overflow: { id: everything, redo: () => writer.redo(everything) },
  });
  const coherence =
    link === undefined || redis === undefined || l2.coherence === 'none'
      ? undefined
      : new Coherence({
          link,
          redis,
          memory,
          tags,
          mode: l2.coherence,
          deadlineMs: l2.deadlineMs,
          pingMs,
          onReady: () => void recovery.drain(),
        });
  const core: Core = {
    name,
    memory,
    redis,
    leases,
    coherence,
    tags,
    recovery,
    counters,
    codec: l2,
    measure: l1.measuresBytes ? sizeOf : sizeAtAGlance,
    clock,
    coarseNow: options.coarseNow,
    random,
    assertOpen,
  };
  const writer = new Writer(core);
  return { core, writer };
}
