import { createMatcher } from '@weir/promql';
import { messageOf } from '../errors.ts';
import { overlaps, tooManySamples } from '../store/block-reader.ts';
import type { MetricStore } from '../store/metric-store.ts';
import type { MemorySeries } from '../store/series.ts';
import { PiecePacker } from './piece-packer.ts';
import type { AttachReader, PackedPieces, SelectReply, SelectRequest } from './select-protocol.ts';

/** Sealed chunks read between two looks at other work: some milliseconds' worth. */
const chunksAtOnce = 1_000;
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * Hands the compressed chunks that a query asks for to the query's thread, which decompresses and evaluates them. In slices: between
 * two of them the store takes in samples and serves other queries, so that no query holds either up.
 */
export function serveSelects(store: MetricStore, { port, posted }: AttachReader): void {
  const told = new Set<number>();
  const post = (reply: SelectReply, transfer: ArrayBuffer[] = []): void => {
    port.postMessage(reply, transfer);
    Atomics.add(posted, 0, 1);
    Atomics.notify(posted, 0);
  };
  port.on('message', (request: SelectRequest) => {
    select(store, request, told, post).catch((thrown: unknown) =>
      post({ type: 'error', id: request.id, message: messageOf(thrown) }),
    );
  });
}

async function select(
  store: MetricStore,
  request: SelectRequest,
  told: Set<number>,
  post: (reply: SelectReply, transfer?: ArrayBuffer[]) => void,
): Promise<void> {
  const { id, matchers, startMs, endMs, maxSeries, maxSamples, canceled } = request;
  const found = store.index.select(matchers.map((matcher) => createMatcher(...matcher)));
  if (found.length > maxSeries)
    throw new Error(`query selects ${found.length} series, more than the limit of ${maxSeries}`);
  let left = maxSamples;
  const send = (pieces: PackedPieces): void => {
    for (const count of pieces.samples) left -= count;
    if (left < 0) throw tooManySamples(maxSamples);
    const { ids, bases, samples, lengths, bytes } = pieces;
    const buffers = [ids, bases, samples, lengths, bytes].map(({ buffer }) => buffer as ArrayBuffer);
    post({ type: 'pieces', id, pieces }, buffers);
  };
  post({ type: 'series', id, ...describe(store, found, told) });
  // Open chunks first and in one go: one that is sealed while the blocks are read has been seen.
  const blocks = store.blocks.overlapping(startMs, endMs);
  const open = new PiecePacker(false);
  for (const { id: seriesId, chunks } of found)
    for (const chunk of chunks)
      if (overlaps(chunk, startMs, endMs)) open.add(seriesId, chunk.baseMs, chunk.count, chunk.bytes());
  send(open.pack());
  const ids = found.map((series) => series.id).sort((a, b) => a - b);
  for (const { startMs: baseMs } of blocks)
    for (let from = 0; from < ids.length; from += chunksAtOnce) {
      await nextTurn();
      if (Atomics.load(canceled, 0) !== 0) return;
      const packer = new PiecePacker(true);
      for (const row of store.blocks.sealed(baseMs, ids.slice(from, from + chunksAtOnce)))
        packer.add(row.seriesId, baseMs, row.samples, row.data);
      send(packer.pack());
    }
  post({ type: 'done', id });
}

function describe(store: MetricStore, found: readonly MemorySeries[], told: Set<number>) {
  // Series come and go; what the other side remembers stays within what there is.
  const isFresh = told.size > store.index.size * 2 + 10_000;
  if (isFresh) told.clear();
  const labels: [number, string[]][] = [];
  for (const series of found) {
    if (told.has(series.id)) continue;
    told.add(series.id);
    labels.push([series.id, [...series.labels].flat()]);
  }
  return { ids: Uint32Array.from(found, (series) => series.id), labels, isFresh };
}
