import type { Labels } from '@weir/promql';

/** One sample of a remote write. The value stays in its array, so that a stale marker keeps its bits. */
export interface WriteSample {
  readonly labels: Labels;
  readonly timeMs: number;
  readonly values: Float64Array;
  readonly at: number;
}

interface WriteSeries {
  readonly labels: Buffer;
  readonly samples: Buffer[];
}

/** Tag and length of a message of protobuf, at most. */
const headBytes = 6;

/** `prometheus.WriteRequest` (remote write 1.0) up to a size, not yet compressed. Series come once, with their samples in order. */
export class WriteRequest {
  readonly #maxBytes: number;
  readonly #series = new Map<Labels, WriteSeries>();
  #bytes = 0;
  #samples = 0;

  /** @param maxBytes Size of the encoded request. The first sample is taken whatever its size. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get samples(): number {
    return this.#samples;
  }

  /** Returns whether the sample was taken. A request that is full takes no other. */
  add(sample: WriteSample): boolean {
    const known = this.#series.get(sample.labels);
    const series = known ?? { labels: encodeLabels(sample.labels), samples: [] };
    const encoded = lengthDelimited(2, encodeSample(sample));
    const bytes = encoded.length + (known === undefined ? series.labels.length + headBytes : 0);
    if (this.#samples > 0 && this.#bytes + bytes > this.#maxBytes) return false;
    this.#series.set(sample.labels, series);
    series.samples.push(encoded);
    this.#bytes += bytes;
    this.#samples++;
    return true;
  }

  encode(): Uint8Array {
    const all = Buffer.concat(
      [...this.#series.values()].map(({ labels, samples }) =>
        lengthDelimited(1, Buffer.concat([labels, ...samples])),
      ),
    );
    // Own memory, so that it can move between threads.
    return new Uint8Array(all);
  }
}

function encodeLabels(labels: Labels): Buffer {
  const fields: Buffer[] = [];
  for (const [name, value] of labels)
    fields.push(lengthDelimited(1, Buffer.concat([textField(1, name), textField(2, value)])));
  return Buffer.concat(fields);
}

function encodeSample({ timeMs, values, at }: WriteSample): Buffer {
  const bytes = Buffer.from(values.buffer, values.byteOffset + at * 8, 8);
  return Buffer.concat([Buffer.from([0x09]), bytes, Buffer.from([0x10]), varint(BigInt(Math.round(timeMs)))]);
}

function textField(field: number, text: string): Buffer {
  return lengthDelimited(field, Buffer.from(text));
}

function lengthDelimited(field: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(field << 3) | 2]), varint(BigInt(body.length)), body]);
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  while (rest >= 128n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  return Buffer.from([...bytes, Number(rest)]);
}
