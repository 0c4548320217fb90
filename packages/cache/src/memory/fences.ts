/** Held by one or more reads or loads of a key; dead as soon as the key was deleted, set or cleared meanwhile. */
export class Fence {
  isAlive = true;
  /** Somebody changed the key in Redis meanwhile, perhaps we ourselves: what gets written must be checked. */
  isSuspect = false;
  holders = 0;
}

/**
 * The in-process half of the fenced lease. Whoever reads or loads a key opens its fence before looking anywhere and
 * may write what it found into L1 only while the fence lives. Costs memory for keys in flight only.
 */
export class FenceTable {
  readonly #open = new Map<string, Fence>();

  open(key: string): Fence {
    let fence = this.#open.get(key);
    // One that died with a flight that was given up is nobody else's.
    if (fence === undefined || !fence.isAlive) {
      fence = new Fence();
      this.#open.set(key, fence);
    }
    fence.holders += 1;
    return fence;
  }

  close(key: string, fence: Fence): void {
    fence.holders -= 1;
    if (fence.holders === 0 && this.#open.get(key) === fence) this.#open.delete(key);
  }

  suspect(key: string): void {
    const fence = this.#open.get(key);
    if (fence !== undefined) fence.isSuspect = true;
  }

  suspectAll(): void {
    for (const fence of this.#open.values()) fence.isSuspect = true;
  }

  keys(): IterableIterator<string> {
    return this.#open.keys();
  }

  cut(key: string): void {
    const fence = this.#open.get(key);
    if (fence === undefined) return;
    fence.isAlive = false;
    this.#open.delete(key);
  }

  cutAll(): void {
    for (const fence of this.#open.values()) fence.isAlive = false;
    this.#open.clear();
  }
}

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

/** One miss weighs as much as so many hits: asking for a lease in vain is cheap beside one more round trip. */
const missWeight = 3;
const max = 12;

/**
 * Guesses, from the reads before, whether Redis has what the next one looks for. A hit costs least by a plain GET; a miss
 * costs a second round trip for its lease then, unless the lease is asked for at once. Wrong guesses cost time only.
 */
export class MissForecast {
  #weight = 0;

  get isMissLikely(): boolean {
    return this.#weight * 2 >= max;
  }

  note(isHit: boolean): void {
    this.#weight = isHit ? Math.max(0, this.#weight - 1) : Math.min(max, this.#weight + missWeight);
  }
}
