import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import {
  createMatcher,
  Labels,
  type Matcher,
  type MatchOperator,
  PromqlError,
  type Queryable,
  type SelectLimits,
  type Series,
} from '@weir/promql';
import { messageOf } from '../errors.ts';
import { assemble, damageWarning, overlaps, type Piece, tooManySamples } from '../store/block-reader.ts';
import type { MetricStore } from '../store/metric-store.ts';
import type { MemorySeries } from '../store/series.ts';

/** What a query's thread asks of the store's thread. */
interface SelectRequest {
  readonly id: number;
  readonly matchers: readonly (readonly [name: string, operator: MatchOperator, value: string])[];
  readonly startMs: number;
  readonly endMs: number;
  readonly maxSeries: number;
  readonly maxSamples: number;
  /** Not 0 once the query is given up. */
  readonly canceled: Int32Array;
}

/** Compressed chunks of many series, as columns. */
interface PackedPieces {
  readonly ids: Uint32Array;
  readonly bases: Float64Array;
  readonly samples: Uint32Array;
  readonly lengths: Uint32Array;
  readonly bytes: Uint8Array;
  readonly isSealed: boolean;
}

type SelectReply =
  | {
      readonly type: 'series';
      readonly id: number;
      readonly ids: Uint32Array;
      /** Labels of the series that this thread has not been told yet: names and values in turn. */
      readonly labels: readonly (readonly [id: number, pairs: readonly string[]])[];
      /** Forget all labels told before. */
      readonly isFresh: boolean;
    }
  | { readonly type: 'pieces'; readonly id: number; readonly pieces: PackedPieces }
  | { readonly type: 'done'; readonly id: number }
  | { readonly type: 'error'; readonly id: number; readonly message: string };

/** What the store's thread is told of a new query's thread. `posted` counts its replies, for a reader that sleeps. */
export interface AttachReader {
  readonly type: 'attach';
  readonly port: MessagePort;
  readonly posted: Int32Array;
}

/** A query under evaluation: whether to go on. */
interface QueryGuard {
  /** Not 0 once nobody waits for the answer. */
  readonly canceled: Int32Array;
  /** Monotonic milliseconds. */
  readonly deadlineMs: number;
}

const lookUpMs = 50;

/** The store as a query's thread sees it: asks the store's thread and sleeps until the samples are there. */
export class RemoteQueryable implements Queryable {
  readonly #port: MessagePort;
  readonly #posted: Int32Array;
  readonly #labels = new Map<number, Labels>();
  #nextId = 1;
  guard: QueryGuard = {
    canceled: new Int32Array(new SharedArrayBuffer(4)),
    deadlineMs: Number.POSITIVE_INFINITY,
  };

  constructor(port: MessagePort, posted: Int32Array) {
    this.#port = port;
    this.#posted = posted;
  }

  select(
    matchers: readonly Matcher[],
    startMs: number,
    endMs: number,
    limits?: SelectLimits,
  ): readonly Series[] {
    const id = this.#nextId++;
    this.#port.postMessage({
      id,
      matchers: matchers.map(({ name, operator, value }) => [name, operator, value] as const),
      startMs,
      endMs,
      maxSeries: limits?.maxSeries ?? Number.POSITIVE_INFINITY,
      maxSamples: limits?.maxSamples ?? Number.POSITIVE_INFINITY,
      canceled: this.guard.canceled,
    } satisfies SelectRequest);
    let ids: Uint32Array = new Uint32Array();
    // Open chunks come first on the way and last in time.
    const open = new Map<number, Piece[]>();
    const sealed = new Map<number, Piece[]>();
    for (;;) {
      const reply = this.#next();
      if (reply.type === 'series') this.#learn(reply);
      // Of a query given up before.
      if (reply.id !== id) continue;
      if (reply.type === 'error') throw new PromqlError('execution', reply.message);
      if (reply.type === 'done') break;
      if (reply.type === 'series') ids = reply.ids;
      else
        unpack(reply.pieces, (seriesId, piece) => {
          const pieces = piece.isSealed ? sealed : open;
          const list = pieces.get(seriesId);
          if (list === undefined) pieces.set(seriesId, [piece]);
          else list.push(piece);
        });
    }
    const result: Series[] = [];
    const onDamage = ({ baseMs }: Piece): void => limits?.warn?.(damageWarning(baseMs));
    for (const seriesId of ids) {
      const pieces = [...(sealed.get(seriesId) ?? []), ...(open.get(seriesId) ?? [])];
      if (pieces.length === 0) continue;
      const labels = this.#labels.get(seriesId) as Labels;
      result.push(assemble(labels, pieces, startMs, endMs, onDamage));
    }
    return result;
  }

  #learn({ labels, isFresh }: Extract<SelectReply, { type: 'series' }>): void {
    if (isFresh) this.#labels.clear();
    for (const [id, pairs] of labels) {
      const entries: [string, string][] = [];
      for (let i = 0; i < pairs.length; i += 2) entries.push([pairs[i] as string, pairs[i + 1] as string]);
      this.#labels.set(id, Labels.from(entries));
    }
  }

  /** @throws PromqlError `canceled` or `timeout` while the store has not answered. */
  #next(): SelectReply {
    const { canceled, deadlineMs } = this.guard;
    for (;;) {
      const seen = Atomics.load(this.#posted, 0);
      const received = receiveMessageOnPort(this.#port) as { message: SelectReply } | undefined;
      if (received !== undefined) return received.message;
      if (Atomics.load(canceled, 0) !== 0)
        throw new PromqlError('canceled', 'query was canceled while it waited for samples');
      if (performance.now() > deadlineMs) {
        // The store's thread is to stop as well.
        Atomics.store(canceled, 0, 1);
        throw new PromqlError('timeout', 'query timed out while it waited for samples');
      }
      Atomics.wait(this.#posted, 0, seen, lookUpMs);
    }
  }
}

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

/** Gathers compressed chunks into few large arrays, which cross to another thread without a copy. */
class PiecePacker {
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
