/**
 * HalfSipHash-1-3 (Aumasson and Bernstein) with 64 bits out, over UTF-16 code units: four a word where all are below
 * 256, else two a word, under another initial state. Keyed: without the secret nobody can choose keys that collide, so
 * a table may hold the hash in place of the key. With a million keys the chance of any collision is about 3 in 10⁸.
 *
 * Read `low` and `high` right after `update`; they are fields, not a result, so that hashing allocates nothing.
 */
export class StringHash {
  /** 32 bits, signed so that it is no heap number; never 0. */
  low = 0;
  /** 32 bits, signed. */
  high = 0;
  readonly #k0: number;
  readonly #k1: number;

  constructor(random: () => number) {
    this.#k0 = (random() * 2 ** 32) | 0;
    this.#k1 = (random() * 2 ** 32) | 0;
  }

  update(key: string): void {
    let v0 = this.#k0;
    let v1 = this.#k1 ^ 0xee;
    let v2 = 0x6c796765 ^ this.#k0;
    let v3 = 0x74656462 ^ this.#k1;
    const { length } = key;
    let seen = 0;
    let index = 0;
    for (;;) {
      let word: number;
      const last = index + 4 > length;
      if (last) {
        // What is left, and the length modulo 256: with the number of words it tells any two keys apart.
        word = length << 24;
        for (let shift = 0; index < length; shift += 8) {
          const unit = key.charCodeAt(index++);
          seen |= unit;
          word |= unit << shift;
        }
      } else {
        const a = key.charCodeAt(index);
        const b = key.charCodeAt(index + 1);
        const c = key.charCodeAt(index + 2);
        const d = key.charCodeAt(index + 3);
        index += 4;
        seen |= a | b | c | d;
        word = a | (b << 8) | (c << 16) | (d << 24);
      }
      v3 ^= word;
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      v0 ^= word;
      if (last) break;
    }
    if (seen > 0xff) this.#updateWide(key);
    else this.#finish(v0, v1, v2, v3);
  }

  #updateWide(key: string): void {
    let v0 = this.#k0;
    let v1 = this.#k1 ^ 0xee;
    let v2 = 0x6c796765 ^ this.#k0;
    let v3 = 0x74656462 ^ this.#k1 ^ 0xff;
    const { length } = key;
    // One word more than the pairs: the last holds the length and, of an odd key, the last unit.
    for (let index = 0; index <= length + 1; index += 2) {
      let word: number;
      if (index + 1 < length) word = key.charCodeAt(index) | (key.charCodeAt(index + 1) << 16);
      else if (index < length) word = key.charCodeAt(index) | (1 << 16);
      else word = length;
      v3 ^= word;
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      v0 ^= word;
    }
    this.#finish(v0, v1, v2, v3);
  }

  #finish(w0: number, w1: number, w2: number, w3: number): void {
    let v0 = w0;
    let v1 = w1;
    let v2 = w2 ^ 0xee;
    let v3 = w3;
    for (let round = 0; round < 3; round++) {
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
    }
    this.low = v0 ^ v1 || 1;
    this.high = v2 ^ v3;
  }
}
