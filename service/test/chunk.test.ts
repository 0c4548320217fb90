import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ChunkWriter, highWord, lowWord, readChunk } from '../src/store/chunk.ts';
import { ChunkMemory } from '../src/store/chunk-memory.ts';
import { readSealedChunk, sealChunk } from '../src/store/sealed-chunk.ts';

const baseMs = 1_700_000_000_000;

function roundTrip(times: readonly number[], words: readonly (readonly [number, number])[]): void {
  const writer = new ChunkWriter(baseMs, new ChunkMemory());
  for (const [i, time] of times.entries()) writer.append(time, words[i]?.[0] ?? 0, words[i]?.[1] ?? 0);
  compare(writer.bytes(), readChunk, times, words);
  compare(sealChunk(writer), readSealedChunk, times, words);
}

function compare(
  bytes: Uint8Array,
  read: typeof readChunk | typeof readSealedChunk,
  times: readonly number[],
  words: readonly (readonly [number, number])[],
): void {
  const timestamps = new Float64Array(times.length);
  const values = new Float64Array(times.length);
  read(bytes, times.length, baseMs, timestamps, values, 0);
  expect([...timestamps]).toEqual(times);
  const found = new Uint32Array(values.buffer);
  words.forEach(([high, low], i) => {
    expect([found[i * 2 + highWord], found[i * 2 + lowWord]]).toEqual([high, low]);
  });
}

function wordsOf(value: number): [number, number] {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return [view.getUint32(0), view.getUint32(4)];
}

test('any timestamps within a block and any bits of a double come back exactly', () => {
  const word = fc.integer({ min: 0, max: 0xffffffff });
  const bits = fc.oneof(
    fc.tuple(word, word),
    fc.double().map(wordsOf),
    fc.integer({ min: 0, max: 1_000 }).map(wordsOf),
    fc.constant([0x7ff00000, 2] as [number, number]),
  );
  const samples = fc.array(fc.tuple(fc.integer({ min: 1, max: 400_000 }), bits), {
    minLength: 1,
    maxLength: 60,
  });
  fc.assert(
    fc.property(samples, (list) => {
      let time = baseMs;
      const times = list.map(([delta]) => (time += delta));
      roundTrip(
        times,
        list.map(([, pair]) => pair),
      );
    }),
    { numRuns: 500 },
  );
});

test('a series that does not change on a regular grid costs two bits a sample', () => {
  const writer = new ChunkWriter(baseMs, new ChunkMemory());
  const [high, low] = wordsOf(42.5);
  for (let i = 0; i < 720; i++) writer.append(baseMs + i * 5_000, high, low);
  expect(writer.byteLength).toBeLessThan(12 + 4 + 720 / 4);
});

test('memory of chunks that are released is taken again, and chunks beside them keep what they hold', () => {
  const memory = new ChunkMemory();
  const values = Array.from({ length: 100 }, (_, i) => Math.sqrt(i + 2));
  const fill = (scale: number): ChunkWriter => {
    const writer = new ChunkWriter(baseMs, memory);
    for (const [i, value] of values.entries()) writer.append(baseMs + i, ...wordsOf(value * scale));
    return writer;
  };
  const expectValues = (writer: ChunkWriter, scale: number): void =>
    compare(
      writer.bytes(),
      readChunk,
      values.map((_, i) => baseMs + i),
      values.map((value) => wordsOf(value * scale)),
    );
  const [stays, goes] = [fill(1), fill(2)];
  goes.release();
  const before = memory.slabs;
  for (let round = 0; round < 1_000; round++) {
    const next = fill(3);
    expectValues(next, 3);
    next.release();
  }
  expect(memory.slabs).toBe(before);
  expectValues(stays, 1);
});

test('a chunk cut short is reported, never read past its end', () => {
  const writer = new ChunkWriter(baseMs, new ChunkMemory());
  for (let i = 0; i < 10; i++) writer.append(baseMs + i, ...wordsOf(Math.sqrt(i)));
  const cut = writer.bytes().slice(0, 20);
  expect(() => readChunk(cut, 10, baseMs, new Float64Array(10), new Float64Array(10), 0)).toThrow(RangeError);
});

test('whole numbers come back exactly from a sealed chunk, resets and huge jumps included', () => {
  const value = fc.oneof(
    fc.integer({ min: 0, max: 50 }),
    fc.integer({ min: -1_000_000, max: 1_000_000 }),
    fc.maxSafeInteger().map((whole) => Math.trunc(whole / 4)),
  );
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 80 }), fc.boolean(), (steps, isRegular) => {
      let total = 0;
      const words = steps.map((step) => {
        total = Math.abs(total + step) < 2 ** 53 ? total + step : step;
        return wordsOf(total === 0 ? 0 : total);
      });
      const times = steps.map((_, i) => baseMs + i * 5_000 + (isRegular ? 0 : (i * 7) % 13));
      roundTrip(times, words);
    }),
    { numRuns: 500 },
  );
});
