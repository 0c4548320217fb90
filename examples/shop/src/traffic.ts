import { setTimeout as delay } from 'node:timers/promises';
import { type Arrival, nextArrival } from './traffic-mix.ts';

export interface TrafficOptions {
  /** Origin of the shop. */
  target: string;
  /** Mean rate; arrivals come at random, as those of independent visitors do. Default 20. */
  requestsPerSecond?: number;
  /** Requests waiting for an answer at once; arrivals beyond it are dropped, never queued. Default 8. */
  maxConcurrent?: number;
  /** Uniform in [0, 1). Default `Math.random`. */
  random?: () => number;
  /** Ends the traffic, requests under way included. */
  signal: AbortSignal;
}

export interface TrafficReport {
  /** By status code; `error` counts requests without an answer. */
  readonly answers: Readonly<Record<string, number>>;
  readonly dropped: number;
}

const requestTimeoutMs = 5000;
/** The shop is gone, not restarting, after this long without any answer. */
const giveUpMs = 15_000;

/**
 * Sends gentle mixed traffic: a Poisson process of `requestsPerSecond` over the shop's routes, as `nextArrival` mixes them.
 * Resolves when `signal` aborts, or once the shop has not answered for 15 s. Never rejects.
 */
export async function sendTraffic(options: TrafficOptions): Promise<TrafficReport> {
  const { target, requestsPerSecond = 20, maxConcurrent = 8, random = Math.random, signal } = options;
  const answers: Record<string, number> = {};
  let dropped = 0;
  const running = new Set<Promise<void>>();
  let lastAnswerMs = performance.now();

  async function send(arrival: Arrival): Promise<void> {
    let answer = 'error';
    try {
      const response = await fetch(new URL(arrival.path, target), {
        method: arrival.method ?? 'GET',
        headers: {
          'x-forwarded-for': arrival.client,
          'user-agent': 'weir-shop-traffic',
          ...(arrival.body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        signal: AbortSignal.any([signal, AbortSignal.timeout(requestTimeoutMs)]),
        ...(arrival.body === undefined ? {} : { body: arrival.body }),
      });
      await response.arrayBuffer();
      answer = String(response.status);
      lastAnswerMs = performance.now();
    } catch {
      if (signal.aborted) return;
    }
    answers[answer] = (answers[answer] ?? 0) + 1;
  }

  while (!signal.aborted && performance.now() - lastAnswerMs < giveUpMs) {
    const arrival = nextArrival(random);
    if (running.size < maxConcurrent) {
      const request = send(arrival).finally(() => running.delete(request));
      running.add(request);
    } else {
      dropped += 1;
    }
    // Inter-arrival times of a Poisson process: exponential; capped, so that an unlucky draw shows no hole.
    const waitMs = Math.min((-Math.log(1 - random()) * 1000) / requestsPerSecond, 2000);
    await delay(waitMs, undefined, { signal }).catch(() => {});
  }
  await Promise.all(running);
  return { answers, dropped };
}
