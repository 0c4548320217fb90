import type { Piece } from '../store/piece.ts';
import type { PackedPieces } from './select-protocol.ts';

/** Gathers compressed chunks into few large arrays, which cross to another thread without a copy. */
export class PiecePacker {
  readonly #isSealed: boolean;
  readonly #ids: number[] = [];
  readonly #bases: number[] = [];
  readonly #samples: number[] = [];
  readonly #lengths: number[] = [];
  #bytes: Uint8Array = new Uint8Array(65_536);
  #used = 0;

  constructor(isSealed: boolean) {
    this.#isSealed = isSealed;
  }

  /** Copies `data`, which may be a view that is written to later. */
  add(seriesId: number, baseMs: number, samples: number, data: Uint8Array): void {
    this.#ids.push(seriesId);
    this.#bases.push(baseMs);
    this.#samples.push(samples);
    this.#lengths.push(data.length);
    if (this.#used + data.length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#used + data.length));
      grown.set(this.#bytes.subarray(0, this.#used));
      this.#bytes = grown;
    }
    this.#bytes.set(data, this.#used);
    this.#used += data.length;
  }

  pack(): PackedPieces {
    return {
      ids: Uint32Array.from(this.#ids),
      bases: Float64Array.from(this.#bases),
      samples: Uint32Array.from(this.#samples),
      lengths: Uint32Array.from(this.#lengths),
      bytes: this.#bytes.subarray(0, this.#used),
      isSealed: this.#isSealed,
    };
  }
}

/** Calls back for every piece, in the order they were added. Their data are views of one array. */
export function unpack(packed: PackedPieces, take: (seriesId: number, piece: Piece) => void): void {
  const { ids, bases, samples, lengths, bytes, isSealed } = packed;
  let at = 0;
  for (let i = 0; i < ids.length; i++) {
    const end = at + (lengths[i] as number);
    take(ids[i] as number, {
      baseMs: bases[i] as number,
      samples: samples[i] as number,
      data: bytes.subarray(at, end),
      isSealed,
    });
    at = end;
  }
}
