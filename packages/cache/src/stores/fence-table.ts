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
