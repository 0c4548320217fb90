import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readEvents, type ServerEvent } from '../../src/load/run-at-service.ts';

async function read(chunks: readonly Uint8Array[]): Promise<ServerEvent[]> {
  async function* stream() {
    yield* chunks;
  }
  const events: ServerEvent[] = [];
  for await (const event of readEvents(stream())) events.push(event);
  return events;
}

test('events are the same however the bytes are cut, comments and unfinished ones left out', async () => {
  const bytes = Buffer.from(
    ': open\n\nevent: progress\ndata: {"p99":"1 µs"}\n\nid: 7\r\nevent: end\r\ndata:a\r\ndata: b\r\n\r\ndata: alone\n\nevent: lost\ndata: x',
  );
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 12 }), async (cuts) => {
      const places = [0, ...cuts.sort((a, b) => a - b), bytes.length];
      const chunks = places.slice(1).map((to, index) => bytes.subarray(places[index], to));
      expect(await read(chunks)).toEqual([
        { name: 'progress', data: '{"p99":"1 µs"}' },
        { name: 'end', data: 'a\nb' },
        { name: 'message', data: 'alone' },
      ]);
    }),
  );
});
