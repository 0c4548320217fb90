import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createRateLimiter } from '@weir/ratelimit';
import { spoofedAddresses } from '@weir/ratelimit/testing';
import { seededRandom } from '@weir/test-kit';

/** Ten million spoofed keys against one used-up and one blocked key, in bounded memory. */
export async function proveAttack(keys = 10_000_000): Promise<boolean> {
  const maxBytes = 64 * 2 ** 20;
  const policies = [{ name: 'p', algorithm: 'gcra', limit: 5, windowMs: 3_600_000 }] as const;
  const limiter = createRateLimiter({ name: 'attack', policies, memory: { maxKeys: 1_000_000, maxBytes } });
  await limiter.consume('victim', { cost: 5 });
  await limiter.block('blocked', 3_600_000);
  const addresses = spoofedAddresses(seededRandom(1));
  const before = process.memoryUsage().arrayBuffers;
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  let extra = 0;
  let peak = 0;
  let longestMs = 0;
  for (let sent = 0; sent < keys; sent += 1000) {
    for (let index = 0; index < 1000; index++) {
      const key = addresses.next().value;
      const started = performance.now();
      void limiter.consume(key);
      longestMs = Math.max(longestMs, performance.now() - started);
    }
    extra +=
      Number((await limiter.consume('victim')).allowed) + Number((await limiter.consume('blocked')).allowed);
    peak = Math.max(peak, process.memoryUsage.rss());
    await new Promise((resolve) => setImmediate(resolve));
  }
  delay.disable();
  const tableMb = (process.memoryUsage().arrayBuffers - before) / 2 ** 20;
  const held = extra === 0 && tableMb <= maxBytes / 2 ** 20;
  console.log(`\nattack: ${keys.toLocaleString('en')} spoofed keys, one used-up and one blocked key`);
  console.log(
    `  table ${tableMb.toFixed(1)} MiB of ${maxBytes / 2 ** 20}, ${limiter.stats().keys.toLocaleString('en')} keys held, peak RSS ${(peak / 2 ** 20).toFixed(0)} MiB, extra admissions ${extra}, longest decision ${longestMs.toFixed(1)} ms, worst event-loop delay ${(delay.max / 1e6).toFixed(0)} ms`,
  );
  return held;
}
