/** Held by the reads and loads of a key in flight. Not alive any more once the key is deleted, set or cleared. */
export class Fence {
  isAlive = true;
  /** The key has changed in Redis meanwhile, perhaps by this process: a value written under the fence must be verified. */
  isSuspect = false;
  holders = 0;
}

/**
 * The in-process half of the fenced lease. Every read and load of a key opens the key's fence first, and may write its value into
 * L1 only while the fence is alive. Uses memory for keys in flight only.
 */
export class FenceTable {
  readonly #open = new Map<string, Fence>();

  open(key: string): Fence {
    let fence = this.#open.get(key);
    // A fence that died with an abandoned flight is not shared with new ones.
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
  /** Whether the change may take effect: no later change has. Call it again after every wait. */
  takesEffect(): boolean;
  end(): void;
}

/**
 * The order in which changes of a key began: a change that waits for a schema or the version of a tag must not overwrite a later
 * change. Uses memory for keys with running changes only.
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

/** The weight of a miss against a hit: an unneeded request for a lease costs less than one more round trip. */
const missWeight = 3;
const max = 12;

/**
 * Predicts from earlier reads whether the next read of Redis misses. A hit is cheapest by a plain GET; after a GET, a miss costs a second
 * round trip for its lease, unless the lease is requested with the read. A wrong prediction costs time only.
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
