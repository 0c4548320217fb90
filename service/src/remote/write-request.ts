import type { Labels } from '@weir/promql';

/** One sample of a remote write. The value stays in its array, so that a stale marker keeps its bits. */
export interface WriteSample {
  readonly labels: Labels;
  readonly timeMs: number;
  readonly values: Float64Array;
  readonly at: number;
}

/** `prometheus.WriteRequest` (remote write 1.0), not yet compressed. Series come once, with their samples in order. */
export function encodeWriteRequest(samples: readonly WriteSample[]): Uint8Array {
  const bySeries = Map.groupBy(samples, ({ labels }) => labels);
  const parts: Buffer[] = [];
  for (const [labels, own] of bySeries) {
    const fields: Buffer[] = [];
    for (const [name, value] of labels)
      fields.push(lengthDelimited(1, Buffer.concat([textField(1, name), textField(2, value)])));
    for (const sample of own) fields.push(lengthDelimited(2, encodeSample(sample)));
    parts.push(lengthDelimited(1, Buffer.concat(fields)));
  }
  const all = Buffer.concat(parts);
  // Own memory, so that it can move between threads.
  return new Uint8Array(all);
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
