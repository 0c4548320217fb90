/** The wire format of Protocol Buffers, as far as writing needs it: varints, doubles and length-delimited fields. */
export class ProtoWriter {
  #bytes = Buffer.allocUnsafe(256);
  #length = 0;

  /** `uint64` of a whole number up to 2^53. Zeros are written too. */
  uint(field: number, value: number): this {
    return this.#varint(field * 8).#varint(value);
  }

  /** `sint32`, `sint64`: zigzag. */
  sint(field: number, value: number): this {
    return this.#varint(field * 8).#varint(value >= 0 ? value * 2 : -value * 2 - 1);
  }

  double(field: number, value: number): this {
    this.#varint(field * 8 + 1);
    this.#reserve(8);
    this.#bytes.writeDoubleLE(value, this.#length);
    this.#length += 8;
    return this;
  }

  string(field: number, value: string): this {
    const length = Buffer.byteLength(value);
    this.#varint(field * 8 + 2).#varint(length);
    this.#reserve(length);
    this.#bytes.write(value, this.#length);
    this.#length += length;
    return this;
  }

  message(field: number, value: ProtoWriter): this {
    return this.#varint(field * 8 + 2).delimited(value);
  }

  /** A message with its length before it, as a stream of messages has them. */
  delimited(value: ProtoWriter): this {
    this.#varint(value.#length);
    this.#reserve(value.#length);
    value.#bytes.copy(this.#bytes, this.#length, 0, value.#length);
    this.#length += value.#length;
    return this;
  }

  finish(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #varint(value: number): this {
    this.#reserve(10);
    let rest = value;
    while (rest >= 128) {
      this.#bytes[this.#length] = (rest % 128) | 128;
      this.#length += 1;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#length] = rest;
    this.#length += 1;
    return this;
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + count));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}
