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
import type { MetricStore } from '../store/metric-store.ts';
import type { MemorySeries } from '../store/series.ts';
import {
  assemble,
  damageWarning,
  overlaps,
  type Piece,
  tooManySamples,
  tooManySeries,
} from '../store/series-reader.ts';

/**
 * How a query's thread reads series of the store. The thread posts a request and sleeps ({@link RemoteQueryable}). The store's
 * thread answers with compressed chunks, in slices between its other work ({@link serveSelects}). The query's thread
 * decompresses them.
 */

/** Sent from a query's thread to the store's thread. */
interface SelectRequest {
  readonly id: number;
  readonly matchers: readonly (readonly [name: string, operator: MatchOperator, value: string])[];
  readonly startMs: number;
  readonly endMs: number;
  readonly maxSeries: number;
  readonly maxSamples: number;
  /** Not 0 once the query is cancelled. */
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
      /** Labels of the series that this thread does not know yet: names and values in turn. */
      readonly labels: readonly (readonly [id: number, pairs: readonly string[]])[];
      /** Whether the thread has to forget the labels that it knows. */
      readonly isFresh: boolean;
    }
  | { readonly type: 'pieces'; readonly id: number; readonly pieces: PackedPieces }
  | { readonly type: 'done'; readonly id: number }
  | { readonly type: 'error'; readonly id: number; readonly message: string };

/** Introduces a new query's thread to the store's thread. `posted` counts the replies; the sleeping reader waits on it. */
export interface AttachReader {
  readonly type: 'attach';
  readonly port: MessagePort;
  readonly posted: Int32Array;
}

/** When a query under evaluation has to stop. */
interface QueryGuard {
  /** Not 0 once the query is cancelled. */
  readonly canceled: Int32Array;
  /** Monotonic milliseconds. */
  readonly deadlineMs: number;
}

/** The longest sleep between two checks for cancellation. */
const longestSleepMs = 50;

/** The store for a query's thread: requests samples from the store's thread and sleeps until they have arrived. */
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
    // Open chunks arrive first and hold the newest samples.
    const open = new Map<number, Piece[]>();
    const sealed = new Map<number, Piece[]>();
    for (;;) {
      const reply = this.#next();
      if (reply.type === 'series') this.#learn(reply);
      // A reply to an earlier, cancelled query.
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
        // The store's thread has to stop as well.
        Atomics.store(canceled, 0, 1);
        throw new PromqlError('timeout', 'query timed out while it waited for samples');
      }
      Atomics.wait(this.#posted, 0, seen, longestSleepMs);
    }
  }
}

/** Sealed chunks read before the store's thread turns to other work: a few milliseconds. */
const chunksAtOnce = 1_000;
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * Sends the compressed chunks that a query selects to its thread, in slices. Between two slices the store ingests samples and
 * serves other queries, so that no query delays either.
 */
export function serveSelects(store: MetricStore, { port, posted }: AttachReader): void {
  const known = new Set<number>();
  const post = (reply: SelectReply, transfer: ArrayBuffer[] = []): void => {
    port.postMessage(reply, transfer);
    Atomics.add(posted, 0, 1);
    Atomics.notify(posted, 0);
  };
  port.on('message', (request: SelectRequest) => {
    select(store, request, known, post).catch((thrown: unknown) =>
      post({ type: 'error', id: request.id, message: messageOf(thrown) }),
    );
  });
}

async function select(
  store: MetricStore,
  request: SelectRequest,
  known: Set<number>,
  post: (reply: SelectReply, transfer?: ArrayBuffer[]) => void,
): Promise<void> {
  const { id, matchers, startMs, endMs, maxSeries, maxSamples, canceled } = request;
  const found = store.index.select(matchers.map((matcher) => createMatcher(...matcher)));
  if (found.length > maxSeries) throw tooManySeries(found.length, maxSeries);
  let left = maxSamples;
  const send = (pieces: PackedPieces): void => {
    for (const count of pieces.samples) left -= count;
    if (left < 0) throw tooManySamples(maxSamples);
    const { ids, bases, samples, lengths, bytes } = pieces;
    const buffers = [ids, bases, samples, lengths, bytes].map(({ buffer }) => buffer as ArrayBuffer);
    post({ type: 'pieces', id, pieces }, buffers);
  };
  post({ type: 'series', id, ...describe(store, found, known) });
  // Open chunks first and in one turn: a chunk that is sealed while the blocks are read is not missed.
  const blocks = store.reader.overlapping(startMs, endMs);
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
      for (const row of store.reader.sealed(baseMs, ids.slice(from, from + chunksAtOnce)))
        packer.add(row.seriesId, baseMs, row.samples, row.data);
      send(packer.pack());
    }
  post({ type: 'done', id });
}

function describe(store: MetricStore, found: readonly MemorySeries[], known: Set<number>) {
  // Series churn; the labels that the other side keeps stay proportional to the series that exist.
  const isFresh = known.size > store.index.size * 2 + 10_000;
  if (isFresh) known.clear();
  const labels: [number, string[]][] = [];
  for (const series of found) {
    if (known.has(series.id)) continue;
    known.add(series.id);
    labels.push([series.id, [...series.labels].flat()]);
  }
  return { ids: Uint32Array.from(found, (series) => series.id), labels, isFresh };
}

/** Gathers compressed chunks in a few large arrays, which are transferred to another thread without a copy. */
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

  /** Copies `data`, so the caller may overwrite it later. */
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

/** Calls `take` for every piece in the order of `add`. The pieces' data are views of one array. */
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
