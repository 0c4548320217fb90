/** One of the processes of prove/exactness.ts: fires attacker-timed requests at one key and reports what was admitted. */
import { createRateLimiter, type Policy } from '@weir/ratelimit';
import { Redis } from 'ioredis';

const { url, policies, skewMs, index, durationMs } = JSON.parse(process.argv[2] as string) as {
  url: string;
  policies: Policy[];
  skewMs: number;
  index: number;
  durationMs: number;
};

// This process's idea of time is wrong by the skew, in both clocks that a limiter could look at.
const now = Date.now;
Date.now = () => now() + skewMs;
const clock = { now: () => performance.now() + skewMs };

const redis = new Redis(url);
const limiters = policies.map((policy) =>
  createRateLimiter({
    name: policy.name,
    redis,
    policies: [policy],
    deadlineMs: 5000,
    denyCacheMs: 0,
    clock,
  }),
);
const started = performance.now();
const admitted: Record<string, [number, number][]> = Object.fromEntries(
  policies.map(({ name }) => [name, []]),
);
while (performance.now() - started < durationMs) {
  const elapsed = performance.now() - started;
  await Promise.all(
    limiters.map(async (limiter, number) => {
      const { windowMs } = policies[number] as Policy;
      // Attack at the edges: one request early in each window, silence, then a storm around its end.
      const phase = elapsed % windowMs;
      if (phase > windowMs * 0.08 && phase < windowMs * 0.85 && index < 3) return;
      const sentMs = performance.timeOrigin + performance.now();
      const decision = await limiter.consume('attacker');
      // Redis decided at some moment of the trip.
      if (decision.allowed)
        admitted[limiter.name]?.push([sentMs, performance.timeOrigin + performance.now()]);
    }),
  );
}
process.send?.(admitted);
redis.disconnect();
