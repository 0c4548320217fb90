interface KeyOrder {
  begun: number;
  /** The last change that took effect. */
  latest: number;
  underWay: number;
}

/** One delete or set of a key by this process. */
export interface KeyChange {
  /** Whether it may take effect: no change that began later has. Asked again after every wait. */
  takesEffect(): boolean;
  end(): void;
}

/**
 * The order in which changes of a key began: one that waits for something (a schema, the version of a tag) must not overwrite
 * a later one. Costs memory for keys with changes under way only.
 */
export class ChangeOrder {
  readonly #keys = new Map<string, KeyOrder>();

  begin(key: string): KeyChange {
    const order = this.#keys.get(key) ?? { begun: 0, latest: 0, underWay: 0 };
    this.#keys.set(key, order);
    order.begun += 1;
    order.underWay += 1;
    const own = order.begun;
    return {
      takesEffect() {
        order.latest = Math.max(order.latest, own);
        return order.latest === own;
      },
      end: () => {
        order.underWay -= 1;
        if (order.underWay === 0) this.#keys.delete(key);
      },
    };
  }
}
