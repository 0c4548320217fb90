/**
 * Bytes of open chunks, in segments of one size carved out of slabs. There is a chunk for every series, and a typed array of its
 * own would cost each several times what it holds. A chunk is a chain of segments; what is given back is taken again first.
 */
export class ChunkMemory {
  readonly #slabs: Slab[] = [];
  #firstFree = none;
  /** Segments never taken so far in the last slab. */
  #fresh = 0;

  /** Slabs of 256 KiB held. */
  get slabs(): number {
    return this.#slabs.length;
  }

  /** A segment of zeros, last of its chain; behind `previous` when that is given. */
  take(previous?: number): number {
    const segment = this.#firstFree === none ? this.#carve() : this.#reuse();
    this.#link(segment, none);
    if (previous !== undefined) this.#link(previous, segment);
    return segment;
  }

  /** Gives a whole chain back. Nobody may write to it or read it afterwards. */
  give(first: number): void {
    let last = first;
    for (let next = this.next(last); next !== none; next = this.next(last)) last = next;
    this.#link(last, this.#firstFree);
    this.#firstFree = first;
  }

  /** The segment that follows in the chain, or -1. */
  next(segment: number): number {
    return this.#slab(segment).next[segment % slabSegments] as number;
  }

  /** The slab in which the segment lies, from `offset` on. */
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
