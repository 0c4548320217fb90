import { channel } from 'node:diagnostics_channel';

/**
 * Announces instances to whoever measures them. A new instance is published on `<prefix>created` as `{ [kind]: instance }`; a
 * subscriber that comes later publishes `{ announce }` on `<prefix>discover`, and every live instance answers. The returned
 * function retracts an instance and publishes it on `<prefix>closed`.
 */
export function createAnnouncer<Instance extends object>(
  kind: string,
  prefix: string,
): (instance: Instance) => () => void {
  const created = channel(`${prefix}created`);
  const closed = channel(`${prefix}closed`);
  // Held weakly, so that an instance dropped without `close()` can still be collected.
  const live = new Set<WeakRef<Instance>>();
  let isDiscoverable = false;
  return (instance) => {
    if (!isDiscoverable) {
      isDiscoverable = true;
      channel(`${prefix}discover`).subscribe((message) => {
        const { announce } = message as { announce(instance: Instance): void };
        for (const reference of live) {
          const found = reference.deref();
          if (found === undefined) live.delete(reference);
          else announce(found);
        }
      });
    }
    const reference = new WeakRef(instance);
    live.add(reference);
    if (created.hasSubscribers) created.publish({ [kind]: instance });
    return () => {
      if (live.delete(reference) && closed.hasSubscribers) closed.publish({ [kind]: instance });
    };
  };
}
