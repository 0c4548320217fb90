/**
 * Memory of open chunks: segments of one size within large slabs. Every series has an open chunk, and a typed array for each would
 * cost several times its content. A chunk is a chain of segments. Freed segments are reused first.
 */
export class ChunkMemory {
  readonly #slabs: Slab[] = [];
  #firstFree = none;
  /** Segments of the last slab that were never taken. */
  #fresh = 0;

  /** Slabs allocated, 256 KiB each. */
  get slabs(): number {
    return this.#slabs.length;
  }

  /** Takes a segment of zeros as the last of its chain; appends it to `previous` when that is given. */
  take(previous?: number): number {
    const segment = this.#firstFree === none ? this.#carve() : this.#reuse();
    this.#link(segment, none);
    if (previous !== undefined) this.#link(previous, segment);
    return segment;
  }

  /** Frees a whole chain. It must not be read or written afterwards. */
  give(first: number): void {
    let last = first;
    for (let next = this.next(last); next !== none; next = this.next(last)) last = next;
    this.#link(last, this.#firstFree);
    this.#firstFree = first;
  }

  /** The next segment of the chain, or -1. */
  next(segment: number): number {
    return this.#slab(segment).next[segment % slabSegments] as number;
  }

  /** The slab that holds the segment, which starts at `offset`. */
  bytes(segment: number): Uint8Array {
    return this.#slab(segment).bytes;
  }

  offset(segment: number): number {
    return (segment % slabSegments) * segmentBytes;
  }

  #carve(): number {
    if (this.#fresh === 0) {
      this.#slabs.push({
        bytes: new Uint8Array(slabSegments * segmentBytes),
        next: new Int32Array(slabSegments),
      });
      this.#fresh = slabSegments;
    }
    return this.#slabs.length * slabSegments - this.#fresh--;
  }

  #reuse(): number {
    const segment = this.#firstFree;
    this.#firstFree = this.next(segment);
    const from = this.offset(segment);
    this.bytes(segment).fill(0, from, from + segmentBytes);
    return segment;
  }

  #link(segment: number, next: number): void {
    this.#slab(segment).next[segment % slabSegments] = next;
  }

  #slab(segment: number): Slab {
    return this.#slabs[Math.floor(segment / slabSegments)] as Slab;
  }
}

interface Slab {
  readonly bytes: Uint8Array;
  readonly next: Int32Array;
}

const none = -1;
const slabSegments = 4_096;

/** A power of two. */
export const segmentBytes = 64;
