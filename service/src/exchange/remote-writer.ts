/// <reference path="./snappyjs.d.ts" />
import { setTimeout as sleep } from 'node:timers/promises';
import { compress } from 'snappyjs';
import type { EndpointConfig } from '../config/config.ts';
import { messageOf } from '../errors.ts';
import { DeliveryError, type GuardedClient } from '../network/guarded-client.ts';
import type { SentPart } from '../store/outbox.ts';
import type { EngineClient } from '../threads/engine-client.ts';

interface RemoteWriterOptions {
  readonly engine: EngineClient;
  readonly client: GuardedClient;
  readonly onError: (message: string) => void;
  /** Called with the number of samples that a receiver took, that it refused permanently, or that were dropped unsent. */
  readonly onSamples: (outcome: 'sent' | 'refused' | 'dropped', count: number) => void;
  /**
   * Milliseconds between two checks of an empty backlog.
   * @defaultValue 1,000
   */
  readonly idleMs?: number;
}

const longestPauseMs = 30_000;
/** Size of a request before compression. Below the default limit of proxies (nginx: 1 MiB) even when nothing compresses. */
const largestRequestBytes = 800_000;
/** Requests up to this size are not split further when a receiver finds them too large. */
const smallestRequestBytes = 16_384;

/** State of the delivery to one receiver. */
interface Sending {
  /** Size of requests before compression: halved when a request is too large for the receiver, raised by 5 % with each one it takes. */
  maxBytes: number;
  /** The part of the oldest unconfirmed batch that the receiver has already. */
  skip: SentPart | undefined;
}

/**
 * Sends every sample to the receivers by Prometheus' remote write 1.0 (snappy over protobuf). The backlog is durable: after a restart
 * or an outage, delivery continues where it stopped, in requests of bounded size. A request that is too large for the receiver (413) is
 * split. Samples that a receiver refuses permanently (any other 4xx but 429) are dropped, counted and reported.
 */
export class RemoteWriter {
  readonly #options: RemoteWriterOptions;
  #abort = new AbortController();
  #loops: Promise<void>[] = [];
  #dropped = 0;

  constructor(options: RemoteWriterOptions) {
    this.#options = Object.freeze({ ...options });
  }

  async update(receivers: readonly EndpointConfig[]): Promise<void> {
    await this.stop();
    this.#abort = new AbortController();
    await this.#options.engine.call(
      'setReceivers',
      receivers.map(({ url }) => url.href),
    );
    this.#loops = receivers.map((receiver) => this.#send(receiver, this.#abort.signal));
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await Promise.all(this.#loops);
    this.#loops = [];
  }

  async #send(receiver: EndpointConfig, signal: AbortSignal): Promise<void> {
    const sending: Sending = { maxBytes: largestRequestBytes, skip: undefined };
    let pauseMs = 0;
    while (!signal.aborted) {
      try {
        pauseMs = (await this.#sendNext(receiver, sending, signal)) ? 0 : (this.#options.idleMs ?? 1_000);
      } catch (thrown) {
        if (signal.aborted) return;
        this.#options.onError(`remote write: ${messageOf(thrown)}`);
        pauseMs = Math.min(longestPauseMs, Math.max(1_000, pauseMs * 2));
      }
      if (pauseMs > 0) await sleep(pauseMs, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  /** Sends one request. Resolves with whether the backlog had anything for the receiver. */
  async #sendNext({ url, headers }: EndpointConfig, sending: Sending, signal: AbortSignal): Promise<boolean> {
    const { engine, client, onError, onSamples } = this.#options;
    const receiver = url.href;
    const { maxBytes, skip } = sending;
    const next = await engine.call('nextOutgoing', { receiver, maxBytes, skip });
    const more = next.dropped - this.#dropped;
    this.#dropped = next.dropped;
    this.#reportLoss(more, 'the backlog exceeded `store.backlogSize`.');
    const { data, samples } = next;
    if (samples > 0)
      try {
        await client.post(url, {
          body: compress(data),
          signal,
          timeoutMs: 30_000,
          headers: {
            ...headers,
            'content-type': 'application/x-protobuf',
            'content-encoding': 'snappy',
            'x-prometheus-remote-write-version': '0.1.0',
          },
        });
        sending.maxBytes = Math.min(largestRequestBytes, Math.ceil(maxBytes * 1.05));
        onSamples('sent', samples);
      } catch (thrown) {
        if (!(thrown instanceof DeliveryError) || !thrown.isPermanent) throw thrown;
        if (thrown.status === 413 && samples > 1 && data.length > smallestRequestBytes) {
          sending.maxBytes = Math.floor(data.length / 2);
          return true;
        }
        onError(`remote write: ${thrown.message} ${samples} samples are not sent again.`);
        onSamples('refused', samples);
      }
    if (next.through > 0) await engine.call('confirmOutgoing', { receiver, through: next.through });
    sending.skip = next.skip;
    this.#reportLoss(next.expired, 'their series have expired, or their batch is damaged.');
    return samples > 0 || next.through > 0;
  }

  #reportLoss(count: number, reason: string): void {
    if (count === 0) return;
    this.#options.onSamples('dropped', count);
    this.#options.onError(`remote write: ${count} samples were dropped unsent: ${reason}`);
  }
}
