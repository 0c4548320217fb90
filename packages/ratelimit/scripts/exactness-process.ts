/** One of the processes of prove/exactness.ts: fires attacker-timed requests at one key and reports what was admitted. */
import type { Policy } from '@weir/ratelimit';
import { Redis } from 'ioredis';
import { ourArms, peerArms } from './exactness-arms.ts';

const { url, policies, limit, windowMs, skewMs, index, durationMs, peers } = JSON.parse(
  process.argv[2] as string,
) as {
  url: string;
  policies: Policy[];
  limit: number;
  windowMs: number;
  skewMs: number;
  index: number;
  durationMs: number;
  peers: boolean;
};

// This process's idea of time is wrong by the skew, in both clocks that a limiter could look at.
const now = Date.now;
Date.now = () => now() + skewMs;
const clock = { now: () => performance.now() + skewMs };

const redis = new Redis(url);
const options = { redis, policies, clock, limit, windowMs };
const arms = Object.entries(peers ? await peerArms(options) : ourArms(options));
const admitted: Record<string, [number, number][]> = Object.fromEntries(arms.map(([name]) => [name, []]));
const absolute = (): number => performance.timeOrigin + performance.now();

// All processes attack the same edges.
const started = Math.ceil(absolute() / windowMs + 1) * windowMs;
while (absolute() < started) await new Promise((resolve) => setTimeout(resolve, started - absolute()));
while (absolute() - started < durationMs) {
  // One request early in each window, silence, then a storm around its end; the last process storms always.
  const phase = (absolute() - started) % windowMs;
  if (phase > windowMs * 0.08 && phase < windowMs * 0.85 && index < 3) {
    await new Promise((resolve) => setTimeout(resolve, 2));
    continue;
  }
  await Promise.all(
    arms.map(async ([name, allows]) => {
      const sentMs = absolute();
      // The limiter decided at some moment of the trip.
      if (await allows()) admitted[name]?.push([sentMs, absolute()]);
    }),
  );
}
process.send?.(admitted, () => process.exit(0));
