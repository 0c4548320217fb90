import { randomBytes } from 'node:crypto';
import { type Cache, readUnlessHeld } from '../cache.ts';
import type { SetOptions } from '../options.ts';
import type { LoadContext } from '../tiers/load-context.ts';

/** The right to store what a handler is making of a resource. Held by every request that the handler is making something for. */
export interface Claim {
  /**
   * What is stored goes under this generation, which is made known with the first of it. `undefined` when the resource was
   * invalidated since the claim was taken: then nothing may be stored.
   */
  generation(): Promise<string | undefined>;
  /** Call once, when the request is over. A claim under which nothing was stored leaves nothing behind. */
  release(): void;
}

// A handler is ended by its client's leaving; this only bounds what goes wrong.
const maxClaimMs = 3_600_000;

/**
 * The generation of each resource: a random name under which everything stored of the resource lies, so that to invalidate is
 * to delete it. It must stand before a handler starts, or what the handler makes could outlive an invalidation; yet a
 * resource of which nothing is stored must leave no trace. So it is claimed first: the claim is the fenced lease of a load
 * that ends with the first stored response, and commits only if no invalidation came in between.
 */
export class Generations {
  readonly #cache: Cache;
  readonly #options: SetOptions;
  readonly #claims = new Map<string, SharedClaim>();

  constructor(cache: Cache, options: SetOptions) {
    this.#cache = cache;
    this.#options = { ...options, maxFlightMs: maxClaimMs };
  }

  async find(base: string): Promise<string | undefined> {
    return await this.#cache.get<string>(keyOf(base));
  }

  /** Take it before the handler starts. `undefined` while another process has it: that one will store. Never rejects. */
  async claim(base: string): Promise<Claim | undefined> {
    let shared = this.#claims.get(base);
    if (shared === undefined) {
      const made = new SharedClaim(this.#cache, keyOf(base), this.#options, () => {
        if (this.#claims.get(base) === made) this.#claims.delete(base);
      });
      shared = made;
      this.#claims.set(base, made);
    }
    return await shared.join();
  }

  /** What handlers are making of the resource is not stored any more, and what is stored of it is not found. */
  async invalidate(base: string): Promise<void> {
    this.#claims.delete(base);
    try {
      await this.#cache.delete(keyOf(base));
    } finally {
      this.#claims.delete(base);
    }
  }
}

class SharedClaim implements Claim {
  readonly #cache: Cache;
  readonly #key: string;
  readonly #onEnd: () => void;
  readonly #isStored = Promise.withResolvers<boolean>();
  readonly #isGranted = Promise.withResolvers<boolean>();
  /** The generation, once it is known. */
  readonly #made: Promise<string | undefined>;
  #holders = 0;

  constructor(cache: Cache, key: string, options: SetOptions, onEnd: () => void) {
    this.#cache = cache;
    this.#key = key;
    this.#onEnd = onEnd;
    const isGranted = this.#isGranted.resolve;
    const load = async ({ skipCache }: LoadContext) => {
      isGranted(true);
      if (!(await this.#isStored.promise)) skipCache();
      return randomBytes(9).toString('base64url');
    };
    const reading = readUnlessHeld(cache, key, options, load);
    // Without a call of the load: found after all, or out of reach.
    this.#made = reading.then(
      (generation) => {
        isGranted(true);
        return generation as string;
      },
      () => {
        isGranted(false);
        this.#onEnd();
        return undefined;
      },
    );
  }

  async join(): Promise<Claim | undefined> {
    this.#holders += 1;
    return (await this.#isGranted.promise) ? this : undefined;
  }

  async generation(): Promise<string | undefined> {
    this.#isStored.resolve(true);
    // Who comes from now on finds the generation, or takes a claim of its own.
    this.#onEnd();
    const made = await this.#made;
    if (made === undefined) return undefined;
    return (await this.#cache.get(this.#key)) === made ? made : undefined;
  }

  release(): void {
    this.#holders -= 1;
    if (this.#holders > 0) return;
    this.#isStored.resolve(false);
    this.#onEnd();
  }
}

function keyOf(base: string): string {
  return `http generation ${base}`;
}
