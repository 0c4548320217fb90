import { highWord, lowWord } from './chunk.ts';

const staleHigh = 0x7ff00000;
const staleLow = 2;

/**
 * Samples on their way into the store, as columns. Values live in a typed array because a stale marker is a NaN
 * whose bits a number variable may lose.
 */
export class SampleBatch<Key> {
  readonly keys: Key[] = [];
  #times: Float64Array = new Float64Array(256);
  #values: Float64Array = new Float64Array(256);
  #words: Uint32Array = new Uint32Array(this.#values.buffer);

  get size(): number {
    return this.keys.length;
  }

  /** Views of the columns, valid until the next `add`. */
  get times(): Float64Array {
    return this.#times.subarray(0, this.size);
  }

  get values(): Float64Array {
    return this.#values.subarray(0, this.size);
  }

  add(key: Key, timeMs: number, value: number): void {
    const at = this.#reserve(key, timeMs);
    this.#values[at] = value;
    // Any NaN but the marker is one NaN, so that none is taken for the marker.
    if (Number.isNaN(value)) this.#put(at, 0x7ff80000, 1);
  }

  addStale(key: Key, timeMs: number): void {
    this.#put(this.#reserve(key, timeMs), staleHigh, staleLow);
  }

  addWords(key: Key, timeMs: number, high: number, low: number): void {
    this.#put(this.#reserve(key, timeMs), high, low);
  }

  highAt(index: number): number {
    return this.#words[index * 2 + highWord] as number;
  }

  lowAt(index: number): number {
    return this.#words[index * 2 + lowWord] as number;
  }

  #put(at: number, high: number, low: number): void {
    this.#words[at * 2 + highWord] = high;
    this.#words[at * 2 + lowWord] = low;
  }

  #reserve(key: Key, timeMs: number): number {
    const at = this.keys.length;
    if (at === this.#times.length) {
      const times = new Float64Array(at * 2);
      times.set(this.#times);
      const values = new Float64Array(at * 2);
      values.set(this.#values);
      this.#times = times;
      this.#values = values;
      this.#words = new Uint32Array(values.buffer);
    }
    this.keys.push(key);
    this.#times[at] = timeMs;
    return at;
  }
}
