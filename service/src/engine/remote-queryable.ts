import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import {
  Labels,
  type Matcher,
  PromqlError,
  type Queryable,
  type SelectLimits,
  type Series,
} from '@weir/promql';
import { assemble, damageWarning, type Piece } from '../store/piece.ts';
import { unpack } from './piece-packer.ts';
import type { SelectReply, SelectRequest } from './select-protocol.ts';

/** A query under evaluation: whether to go on. */
export interface QueryGuard {
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
