import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type CodecOptions,
  decode,
  type Envelope,
  encodeBody,
  encode as encodePayload,
} from '../src/values/envelope.ts';

const options = { compressFromBytes: 512, maxExpandedBytes: 1_000_000 };
const envelope = (value: unknown): Envelope => ({
  value,
  stamp: 'sixteen  letters',
  freshMs: 1_000,
  staleMs: 5,
  loadMs: 0.25,
  tags: [['ta', '1']],
});
const encode = ({ value, ...rest }: Envelope, codec: CodecOptions) =>
  Buffer.from(encodePayload({ ...rest, body: encodeBody(value) }, codec));
const roundTrip = (value: unknown) => decode(encode(envelope(value), options), options).value;

const bytes = fc.uint8Array({ maxLength: 24 });
const leaf = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.double(),
  fc.bigInt(),
  fc.boolean(),
  fc.constantFrom(null, undefined, Number.NaN, -0, Number.NEGATIVE_INFINITY, '\0date', '\0hole'),
  fc.date({ noInvalidDate: false }),
  bytes,
  bytes.map((array) => Buffer.from(array)),
  fc.float32Array({ maxLength: 4, noNaN: true }),
  fc.bigInt64Array({ maxLength: 4 }),
  fc.constantFrom(new TypeError('no', { cause: new Error('why') }), new URL('http://a/?b'), /x+/giu),
);
const anyValue = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.sparseArray(tie('value'), { maxNumElements: 3, maxLength: 6 }),
    fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 3 }).map((pairs) => new Map(pairs)),
    fc.array(tie('value'), { maxLength: 3 }).map((items) => new Set(items)),
    fc.dictionary(
      fc.string().filter((key) => key !== '__proto__' && key !== 'toJSON'),
      tie('value'),
      { maxKeys: 4 },
    ),
  ),
})).value;

describe('the codec', () => {
  test('hands back an equal value of the same types for whatever it takes', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        expect(roundTrip(value)).toStrictEqual(value);
      }),
      { numRuns: 1_000 },
    );
  });

  test('does so in another process as well', () => {
    const samples = fc.sample(anyValue, { numRuns: 300, seed: 7 });
    const encoded = samples.map((value) => encode(envelope(value), options));
    const script = `
      import { serialize, deserialize } from 'node:v8';
      import { decode, encode, encodeBody } from ${JSON.stringify(join(import.meta.dirname, '../src/values/envelope.ts'))};
      const chunks = [];
      for await (const chunk of process.stdin) chunks.push(chunk);
      const options = ${JSON.stringify(options)};
      const again = ({ value, ...rest }) => encode({ ...rest, body: encodeBody(value) }, options);
      const out = deserialize(Buffer.concat(chunks)).map((bytes) => Buffer.from(again(decode(Buffer.from(bytes), options))));
      process.stdout.write(serialize(out));`;
    const args = ['--input-type=module', '-e', script];
    const output = execFileSync(process.execPath, args, { input: serialize(encoded), maxBuffer: 2 ** 28 });
    const returned = deserialize(output) as Uint8Array[];
    returned.forEach((entry, index) => {
      expect(decode(Buffer.from(entry), options).value).toStrictEqual(samples[index]);
    });
  });

  test('keeps plain data as plain JSON, and a Buffer as its very bytes', () => {
    expect(encode(envelope({ a: [1, 'x'] }), options).toString()).toContain('{"a":[1,"x"]}');
    expect(
      encode(envelope(Buffer.from('raw!')), options)
        .subarray(-4)
        .toString(),
    ).toBe('raw!');
  });

  test('refuses what has no faithful form', () => {
    class Account {}
    const cyclic: unknown[] = [];
    cyclic.push(cyclic);
    const hostile = JSON.parse('{"__proto__":1}') as object;
    for (const value of [
      new Account(),
      () => 1,
      Symbol('s'),
      cyclic,
      { toJSON: 1, a: () => 1 },
      hostile,
      [hostile],
    ]) {
      expect(() => encode(envelope(value), options)).toThrow(/faithfully/);
    }
  });

  test('calls every damaged, truncated or foreign byte sequence undecodable', () => {
    const good = encode(envelope({ a: new Date(1), b: 'text'.repeat(300) }), options);
    // A checksum that begins with 0 reads as the same number with a space there.
    const zeros = Array.from({ length: 200 }, (_, index) => Buffer.from(encode(envelope(index), options)));
    const spaced = zeros.find((bytes) => bytes[2] === 0x30);
    spaced?.write(' ', 2, 'latin1');
    expect(() => decode(spaced as Buffer, options)).toThrow(/could not be decoded/);
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (index, flip) => {
        const bad = Buffer.from(good);
        bad[index] = (bad[index] ?? 0) ^ flip;
        expect(() => decode(bad, options)).toThrow(/could not be decoded/);
        expect(() => decode(good.subarray(0, index), options)).toThrow(/could not be decoded/);
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (array) => {
        expect(() => decode(Buffer.from(array), options)).toThrow(/could not be decoded/);
      }),
    );
  });

  test('stops at the bound when a compressed body expands too far', () => {
    const bomb = encode(envelope('0'.repeat(900_000)), options);
    expect(bomb.length).toBeLessThan(2_000);
    expect(() => decode(bomb, { ...options, maxExpandedBytes: 100_000 })).toThrow(/could not be decoded/);
  });

  test('rejects a stored `__proto__`, however it is spelt', () => {
    for (const text of ['{"__proto__":{"admin":true}}', '{"\\u005f_proto__":{"admin":true}}']) {
      const entry = encode(envelope(Buffer.from(text)), {
        ...options,
        compressFromBytes: Number.POSITIVE_INFINITY,
      });
      expect(() => decode(asJson(entry), options)).toThrow(/could not be decoded/);
    }
  });
});

/** The same bytes, declared as plain JSON and with their checksum set right: what an attacker would write. */
function asJson(entry: Buffer): Buffer {
  const forged = Buffer.from(entry);
  forged[10] = 'j'.charCodeAt(0);
  const { crc32 } = process.getBuiltinModule('node:zlib');
  forged.write(crc32(forged.subarray(10)).toString(16).padStart(8, '0'), 2, 'latin1');
  return forged;
}
