/// <reference path="./snappyjs.d.ts" />
import { setTimeout as sleep } from 'node:timers/promises';
import { compress } from 'snappyjs';
import type { EndpointConfig } from '../config/config.ts';
import type { EngineClient } from '../engine/engine-client.ts';
import { messageOf } from '../errors.ts';
import { DeliveryError, type GuardedClient } from '../network/guarded-request.ts';

export interface RemoteWriterOptions {
  readonly engine: EngineClient;
  readonly client: GuardedClient;
  readonly onError: (message: string) => void;
  /** Pause between two looks at an empty queue [1,000]. */
  readonly idleMs?: number;
}

const batchesAtOnce = 50;
const longestPauseMs = 30_000;

/**
 * Sends every sample to receivers of Prometheus' remote write 1.0 (snappy over protobuf). The queue is durable: after a
 * restart or an outage sending goes on where it stopped. What a receiver refuses for good is dropped and reported.
 */
export class RemoteWriter {
  readonly #options: RemoteWriterOptions;
  #abort = new AbortController();
  #loops: Promise<void>[] = [];

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
    let pauseMs = 0;
    while (!signal.aborted) {
      try {
        pauseMs = (await this.#sendNext(receiver, signal)) ? 0 : (this.#options.idleMs ?? 1_000);
      } catch (thrown) {
        if (signal.aborted) return;
        this.#options.onError(`remote write: ${messageOf(thrown)}`);
        pauseMs = Math.min(longestPauseMs, Math.max(1_000, pauseMs * 2));
      }
      if (pauseMs > 0) await sleep(pauseMs, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  /** Whether there was something to send. */
  async #sendNext({ url, headers }: EndpointConfig, signal: AbortSignal): Promise<boolean> {
    const { engine, client, onError } = this.#options;
    const receiver = url.href;
    const { data, through } = await engine.call('nextOutgoing', { receiver, limit: batchesAtOnce });
    if (through === 0) return false;
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
    } catch (thrown) {
      if (!(thrown instanceof DeliveryError) || !thrown.isPermanent) throw thrown;
      onError(`remote write: ${thrown.message} These samples are not sent again.`);
    }
    await engine.call('confirmOutgoing', { receiver, through });
    return true;
  }
}
