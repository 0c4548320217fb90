import type { Core, ReadRequest } from './core.ts';
import type { Flight } from './flight.ts';
import type { Entry } from './stores/entry.ts';

/**
 * The old value, if it may stand in for a load that has failed, here or in another process. It counts as fresh for
 * `graceThrottleMs`, so that a broken source is not tried on every read.
 */
export function standInFor({ memory, now }: Core, request: ReadRequest, flight: Flight): Entry | undefined {
  const standIn = flight.standIn(now());
  if (standIn === undefined) return undefined;
  const { namespace, key, policy } = request;
  flight.source = 'stale';
  const until = Math.min(now() + policy.graceThrottleMs, standIn.graceUntil);
  const throttled = { ...standIn, freshUntil: until, revalidateUntil: until, earlyFrom: until };
  memory.set(namespace, key, throttled, flight.epoch);
  return standIn;
}
